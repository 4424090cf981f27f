/** A private key at rest: what opens it, what does not, and what is refused unread. */
import { assert, describe, it } from "@effect/vitest"
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import * as Result from "effect/Result"
import { scryptSync } from "node:crypto"
import * as Signer from "../../src/client/Signer.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Keys from "../../src/web/keys.ts"

const secret = new Uint8Array(32).fill(7)
const { address } = Result.getOrThrow(Signer.fromPrivateKey(secret))
/** As little as is taken, so that tests are quick. */
const cheap: Keys.Cost = { n: 2 ** 10, r: 8, p: 1 }
let drawn = 0
const random = (length: number) => Uint8Array.from({ length }, () => drawn++ & 0xff)
const passphrase = "correct horse battery"
const file = Keys.encrypt(secret, address, passphrase, random, cheap)

const parsed = (change: (file: Record<string, Record<string, unknown>>) => void) => {
  const copy = JSON.parse(JSON.stringify(file))
  change(copy)
  return Keys.parse(JSON.stringify(copy))
}

describe("an encrypted key", () => {
  it("is opened by its passphrase and by no other", () => {
    assert.deepStrictEqual(Keys.decrypt(file, passphrase), secret)
    for (const wrong of ["", "correct horse batterz", `${passphrase} `, passphrase.toUpperCase()]) {
      assert.isUndefined(Keys.decrypt(file, wrong), wrong)
    }
  })

  it("says nothing of the key or the passphrase, and differs each time", () => {
    const text = JSON.stringify(file)
    assert.notInclude(text, Bytes.toHex(secret))
    assert.notInclude(text, Bytes.toBase64(secret))
    assert.notInclude(text, passphrase)
    const again = Keys.encrypt(secret, address, passphrase, random, cheap)
    assert.notStrictEqual(again.kdf.salt, file.kdf.salt)
    assert.notStrictEqual(again.cipher.text, file.cipher.text)
  })

  it("is what the form says: scrypt and XChaCha20-Poly1305, as other libraries have them", () => {
    const salt = Buffer.from(file.kdf.salt, "base64")
    const key = scryptSync(passphrase, salt, 32, { N: file.kdf.n, r: file.kdf.r, p: file.kdf.p })
    const bound = ["p2p-mes/key/v1", `0x${address}`, "scrypt", file.kdf.n, 8, 1, salt.toString("hex")].join("\n")
    const nonce = new Uint8Array(Buffer.from(file.cipher.nonce, "base64"))
    const cipher = xchacha20poly1305(new Uint8Array(key), nonce, new TextEncoder().encode(bound))
    assert.deepStrictEqual(cipher.decrypt(new Uint8Array(Buffer.from(file.cipher.text, "base64"))), secret)
  })

  it("takes a passphrase however its letters are composed", () => {
    const composed = Keys.encrypt(secret, address, "Käse und Brötchen", random, cheap)
    assert.deepStrictEqual(Keys.decrypt(composed, "Ka\u0308se und Bro\u0308tchen"), secret)
  })

  it("survives being written and read", () => {
    const read = Result.getOrThrow(Keys.parse(JSON.stringify(file)))
    assert.deepStrictEqual(Keys.decrypt(read, passphrase), secret)
    assert.strictEqual(Keys.addressOf(read), address)
  })

  it("does not open when anything in it was exchanged", () => {
    const flip = (text: string) => {
      const bytes = Buffer.from(text, "base64")
      bytes[0]! ^= 1
      return bytes.toString("base64")
    }
    const changed = [
      parsed((it) => it["kdf"]!["salt"] = flip(file.kdf.salt)),
      parsed((it) => it["kdf"]!["p"] = 2),
      parsed((it) => it["cipher"]!["nonce"] = flip(file.cipher.nonce)),
      parsed((it) => it["cipher"]!["text"] = flip(file.cipher.text)),
      Keys.parse(JSON.stringify({ ...file, address: `0x${"11".repeat(20)}` }))
    ]
    for (const each of changed) assert.isUndefined(Keys.decrypt(Result.getOrThrow(each), passphrase))
  })

  it("is refused unread when it is none, is damaged, or would hold up the browser", () => {
    const refused = (result: Result.Result<unknown, string>) => assert.isTrue(Result.isFailure(result))
    for (const text of ["", "{}", "[]", "null", "nonsense", "7", `"p2p-mes-key"`]) refused(Keys.parse(text))
    refused(parsed((it) => (it as Record<string, unknown>)["p2p-mes-key"] = 2))
    refused(Keys.parse(`${JSON.stringify(file)}${" ".repeat(5000)}`))
    for (
      const [field, value] of [
        ["n", 2 ** 24],
        ["n", 1000],
        ["n", 2 ** 9],
        ["n", "1024"],
        ["r", 0],
        ["r", 64],
        ["p", 9],
        ["p", 1.5],
        ["name", "pbkdf2"],
        ["salt", "AAAA"]
      ] as const
    ) refused(parsed((it) => it["kdf"]![field] = value))
    refused(parsed((it) => it["cipher"]!["name"] = "aes"))
    refused(parsed((it) => it["cipher"]!["text"] = file.cipher.nonce))
    refused(parsed((it) => delete it["cipher"]))
  })

  it("is renewed when it costs less to guess than a new one", () => {
    assert.isTrue(Keys.isOutdated(file))
    assert.isFalse(Keys.isOutdated({ ...file, kdf: { ...file.kdf, ...Keys.currentCost } }))
  })
})

describe("a private key in hex", () => {
  it("is read with and without 0x, and with white space around", () => {
    for (const text of [Bytes.toHex(secret), `0x${Bytes.toHex(secret).toUpperCase()}\n`, `  ${Bytes.toHex(secret)}`]) {
      assert.deepStrictEqual(Result.getOrThrow(Keys.parseSecret(text)), secret)
    }
  })

  it("is refused when it is no key of the curve", () => {
    for (const text of ["", "0x12", "00".repeat(32), "ff".repeat(32), `${"07".repeat(31)}zz`]) {
      assert.isTrue(Result.isFailure(Keys.parseSecret(text)), text)
    }
  })

  it("is drawn anew when chance gives an invalid one", () => {
    const draws = [new Uint8Array(32), secret]
    assert.deepStrictEqual(Keys.generate(() => draws.shift()!), secret)
  })
})
