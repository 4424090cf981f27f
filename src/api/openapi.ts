/**
 * What the endpoint schemas do not carry into OpenAPI by themselves: the signature headers, which a middleware reads.
 */

const header = (name: string, description: string, pattern: string, required = true) => ({
  name,
  in: "header",
  required,
  description,
  schema: { type: "string", pattern }
})

/** The headers of SPEC §3. */
const parameters = [
  header("X-User", "The caller's address", "^(0x)?[0-9a-fA-F]{40}$"),
  header("X-Ts", "The caller's time, ms since the epoch, within 30 s of the node's", "^[1-9][0-9]*$"),
  header("X-Node", "The id of the node addressed, from GET /node", "^[1-9A-HJ-NP-Za-km-z]+$"),
  header("X-Sig", "r || s || v over the string to sign, see docs/protocol.md", "^(0x)?[0-9a-fA-F]{130}$"),
  header("X-Sig-Version", "1: keccak256 of the string; 2: its EIP-191 hash", "^[12]$", false)
]

type Operation = { parameters?: Array<unknown>; responses?: { [status: string]: unknown } }

/** Adds the signature headers to every operation that can answer 401. */
// oxlint-disable-next-line typescript/no-explicit-any -- the type of OpenApi.Transform
export const signatureParameters = (spec: { [key: string]: any }): { [key: string]: any } => {
  for (const path of Object.values(spec["paths"] as { [path: string]: { [method: string]: Operation } })) {
    for (const operation of Object.values(path)) {
      if (operation.responses?.["401"] !== undefined) {
        operation.parameters = [...(operation.parameters ?? []), ...parameters]
      }
    }
  }
  return spec
}
