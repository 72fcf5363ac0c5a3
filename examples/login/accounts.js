import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** @type {(password: string, salt: Buffer, length: number) => Promise<Buffer>} */
const derive = promisify(scrypt)

const BYTES = 32

/** Accounts, with a slow hash of each password, as an application would keep them. */
export class Accounts {
  /** @type {Map<string, { salt: Buffer, hash: Buffer }>} */
  #accounts = new Map()
  // As much work for an account that does not exist: else the time would tell which do.
  #nobody = { salt: randomBytes(16), hash: randomBytes(BYTES) }
  #checks = 0

  /** How many passwords were checked. */
  get checks () {
    return this.#checks
  }

  /** @param {string} name @param {string} password */
  async add (name, password) {
    const salt = randomBytes(16)
    this.#accounts.set(name, { salt, hash: await derive(password, salt, BYTES) })
  }

  /** @param {string} name @param {string} password */
  async isRight (name, password) {
    this.#checks++
    const { salt, hash } = this.#accounts.get(name) ?? this.#nobody
    return timingSafeEqual(hash, await derive(password, salt, BYTES))
  }
}
