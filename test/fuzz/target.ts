/**
 * What a fuzzed decoder is: bytes go in, a short text comes out that says what became of them, and a {@link Violation} is
 * thrown when a promise is broken.
 *
 * Rule: a target throws for nothing else than a broken promise, and one input has one outcome. What it decides with comes
 * from the input alone, so that a file of bytes is all that it takes to see a failure again.
 */
import { getHeapStatistics } from "node:v8"
import { Dice } from "../domain/records.ts"
import type { Mutator } from "./mutators.ts"

/** A promise of a decoder that did not hold. */
export class Violation extends Error {
  override readonly name = "Violation"
}

export interface Target {
  /** Folder of its corpus. */
  readonly name: string
  /** Longer inputs are cut. */
  readonly bytesMax: number
  readonly mutators: ReadonlyArray<Mutator>
  /** Valid inputs, for a start. */
  readonly seeds: ReadonlyArray<Uint8Array>
  /** Random inputs of a short run. */
  readonly shortCases: number
  /** The outcome in a few words, equal for inputs that go the same way: what is new in it makes an input interesting. */
  readonly run: (input: Uint8Array) => string | Promise<string>
  /** Runs once after the last input; may throw a {@link Violation} too. */
  readonly close?: () => Promise<void>
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what)
}

/** Without what differs from input to input: numbers, hex, quoted text. */
export const shapeOf = (message: string): string =>
  message.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`/g, "…").replace(/[0-9a-fA-F]{8,}|[0-9]+/g, "#")
    // what remains of the input in a message would make every one of them new
    .replace(/[^\x20-\x7e…]+/g, "?").slice(0, 80)

/** Sizes that count as the same: those of as many binary digits. */
export const sizeShape = (size: number): number => Math.ceil(Math.log2(size + 1))

/** Dice that follow from the input: for targets that choose, such as where to cut a stream. */
export const diceOf = (input: Uint8Array): Dice => {
  let seed = 0x811c9dc5
  for (const byte of input) seed = Math.imul(seed ^ byte, 0x01000193)
  return new Dice(seed)
}

/** No input of a few KiB may take longer, on the busiest machine. */
const runMsMax = 20_000
/** Memory that one input may ask for, whatever it claims; what it holds itself counts on top. */
const runBytesMax = 96 * 1024 * 1024
const bytesPerInputByte = 1_024

const memoryBytes = (): number => {
  const { external_memory, used_heap_size } = getHeapStatistics()
  return external_memory + used_heap_size
}

const textOf = (error: unknown): string => error instanceof Error ? (error.stack ?? error.message) : String(error)

/** Runs one input under the promises that all targets make: nothing thrown, time and memory in proportion. */
export const execute = async (target: Target, input: Uint8Array): Promise<string> => {
  const before = memoryBytes()
  const began = performance.now()
  let shape: string
  try {
    const made = target.run(input)
    shape = typeof made === "string" ? made : await made
  } catch (error) {
    if (error instanceof Violation) throw error
    throw new Violation(`thrown: ${textOf(error)}`)
  }
  const took = performance.now() - began
  must(took <= runMsMax, `it took ${Math.round(took)} ms`)
  const grown = memoryBytes() - before
  must(grown <= runBytesMax + input.length * bytesPerInputByte, `it took ${grown} bytes of memory`)
  return shape
}
