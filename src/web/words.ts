/** What went wrong, in plain words, with what can be done about it. */
import type { WriteError } from "../client/errors.ts"

const clockWords = "The clock of this device or of the node is wrong."

/** One or two sentences. */
export const explain = (error: WriteError): string => {
  switch (error._tag) {
    case "NodeUnreachable":
      return "The node does not answer. It may be down, or this device has no connection to it."
    case "NodeUnproven":
      return "What answers there could not prove that it is the node it claims to be. Nothing was sent to it."
    case "NodeChanged":
      return "Another node answers there than before. Reload the page if that is as it should be."
    case "UnexpectedAnswer":
      return error.status === undefined
        ? "What answers there is no p2p-mes node."
        : `What answers there is no p2p-mes node of this version (status ${error.status}).`
    case "OutcomeUnknown":
      return "The node did not say whether it took this."
    case "SignerError":
      return `Nothing was signed: ${error.message}`
    case "Unauthenticated":
      return error.reason === "expired"
        ? `${clockWords} Set the clock, then try again.`
        : `The node does not accept the signature (${error.reason}).`
    case "Forbidden":
      return "You are not allowed to do this: you are no member, or no admin, of this group."
    case "NotFound":
      return "The node does not know this."
    case "Conflict":
      return conflicts[error.reason]
    case "TooLarge":
      return "This is too long for the node."
    case "RateLimited":
      return "That was too fast for the node. Wait a moment, then try again."
    case "Overloaded":
      return error.reason === "clock"
        ? `${clockWords} It takes nothing until that is right again.`
        : "The node has too much to do. Wait a moment, then try again."
    case "InvalidRequest":
      return `The node does not take this: ${error.message}`
  }
}

const conflicts = {
  "creator": "Who made the group stays its admin, and leaves only by herself.",
  "group-exists": "This group exists already.",
  "last-admin": "A group with members needs an admin: make somebody else an admin first.",
  "no-change": "It is so already."
} as const
