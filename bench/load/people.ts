/** Who writes to whom in benches of whole nodes: 1 000 users with 20 direct conversations each, and what they say. */

export const userCount = 1_000
const peersEach = 20

export const userName = (n: number): string => `user ${n}`

/** Sender and receiver of the n-th message: users take turns, and each goes round her peers. */
export const pairOf = (n: number): { readonly from: number; readonly to: number } => {
  const from = n % userCount
  const step = 1 + (Math.floor(n / userCount) % peersEach) * 37
  return { from, to: (from + step) % userCount }
}

/** 300 bytes. */
export const contentOf = (n: number): string => `${n} `.padEnd(300, "The quick brown fox jumps over the lazy dog. ")
