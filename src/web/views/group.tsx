/** Title and members of a group, and what an admin may change. */
import { useSignal } from "@preact/signals"
import * as Result from "effect/Result"
import { show } from "../../client/Chat.ts"
import type { Address } from "../../domain/ids.ts"
import * as Route from "../route.ts"
import type { Outcome, Session } from "../session.ts"
import type { Conversation, Member } from "../state.ts"
import { AddressesField, readAddresses, titleProblem } from "./new.tsx"
import { Dialog, Field, Form, Problem } from "./parts.tsx"
import { Copy, Person } from "./person.tsx"

const MemberItem = ({ act, isAdmin, isBusy, member, session }: {
  readonly member: Member
  readonly isAdmin: boolean
  readonly isBusy: boolean
  readonly session: Session
  readonly act: (what: "admin" | "member" | "remove", address: Address) => void
}) => {
  const { address, role } = member
  const state = session.state.value
  const who = state.names.get(address) ?? `0x${address}`
  return (
    <li class="member">
      <a href={Route.hrefOf({ kind: "dm", peer: address })}>
        <Person address={address} state={state} />
      </a>
      {role === "admin" && <span class="badge good">admin</span>}
      {isAdmin && address !== state.self && (
        <span class="buttons is-small">
          <button
            type="button"
            disabled={isBusy}
            onClick={() => act(role === "admin" ? "member" : "admin", address)}
          >
            {role === "admin" ? "Make member" : "Make admin"}
            <span class="heard">{who}</span>
          </button>
          <button type="button" disabled={isBusy} onClick={() => act("remove", address)}>
            Remove
            <span class="heard">{who}</span>
          </button>
        </span>
      )}
    </li>
  )
}

export const GroupDetails = ({ conversation, onClose, session }: {
  readonly conversation: Conversation
  readonly session: Session
  readonly onClose: () => void
}) => {
  const { chatId, members, title } = conversation
  const state = session.state.value
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const isLeaving = useSignal(false)
  const isAdmin = members?.find(({ address }) => address === state.self)?.role === "admin"
  const groups = session.groups

  const during = async (run: () => Outcome) => {
    isBusy.value = true
    problem.value = await run()
    isBusy.value = false
  }
  const act = (what: "admin" | "member" | "remove", address: Address) =>
    during(() => what === "remove" ? groups.remove(chatId, [address]) : groups.add(chatId, [address], what))

  return (
    <Dialog title="Group details" onClose={onClose}>
      {isAdmin
        ? (
          <Form
            key={title}
            submit="Save title"
            busy="Saving…"
            run={async (values) => {
              const next = (values["title"] ?? "").trim()
              return titleProblem(next) ?? (next === title ? undefined : groups.setTitle(chatId, next))
            }}
          >
            <Field label="Title" name="title" value={title} autocomplete="off" />
          </Form>
        )
        : title !== "" && (
          <p>
            <strong>
              <bdi>{title}</bdi>
            </strong>
          </p>
        )}
      <section>
        <h3 id="members-title">Members{members === undefined ? "" : ` (${members.length})`}</h3>
        <Problem text={problem.value ?? session.problems.value.get(`members ${chatId}`)} />
        {members === undefined && <p class="soft" role="status">Reading the members…</p>}
        <ul class="members" aria-labelledby="members-title">
          {members?.map((member) => (
            <MemberItem
              key={member.address}
              member={member}
              isAdmin={isAdmin}
              isBusy={isBusy.value}
              session={session}
              act={act}
            />
          ))}
        </ul>
        <p class="soft small">Names are what people call themselves. Only the address tells who somebody is.</p>
      </section>
      {isAdmin && (
        <Form
          key={`add ${members?.length}`}
          submit="Add members"
          busy="Adding…"
          run={async ({ addresses = "" }) => {
            const read = readAddresses(addresses)
            if (Result.isFailure(read)) return read.failure
            return read.success.length === 0 ? "Give an address." : groups.add(chatId, read.success, "member")
          }}
        >
          <AddressesField required hint="One a line. They see what is written from then on, and what was before." />
        </Form>
      )}
      <section class="buttons">
        <Copy isWide label="Copy group id" text={show(chatId)} />
        {isLeaving.value
          ? (
            <>
              <button
                type="button"
                class="danger"
                disabled={isBusy.value}
                onClick={() =>
                  during(async () => {
                    const failed = await groups.leave(chatId)
                    if (failed === undefined) Route.go(Route.inboxHref)
                    return failed
                  })}
              >
                Yes, leave
              </button>
              <button type="button" class="quiet" onClick={() => isLeaving.value = false}>Stay</button>
            </>
          )
          : <button type="button" onClick={() => isLeaving.value = true}>Leave the group</button>}
      </section>
    </Dialog>
  )
}
