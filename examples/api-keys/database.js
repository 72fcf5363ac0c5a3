import { setTimeout as delay } from 'node:timers/promises'
import { hashOf, issueKey } from './keys.js'

/**
 * Whom a key belongs to.
 *
 * @typedef {object} Customer
 * @property {string} id
 * @property {string} plan
 */

/** A table of customers by the hash of their keys, which takes a moment to answer, as a database does. */
export class CustomerTable {
  /** @type {Map<string, Customer>} */
  #customers = new Map()
  #lookUps = 0

  /** How often it was asked. */
  get lookUps () {
    return this.#lookUps
  }

  /**
   * A new key for a customer. It is shown this once; the table keeps its hash.
   *
   * @param {Customer} customer
   */
  addKey (customer) {
    const key = issueKey()
    this.#customers.set(hashOf(key), customer)
    return key
  }

  /** @param {string} key */
  revoke (key) {
    this.#customers.delete(hashOf(key))
  }

  /** @param {string} keyHash @returns {Promise<Customer | null>} */
  async customerByKeyHash (keyHash) {
    this.#lookUps++
    await delay(5)
    return this.#customers.get(keyHash) ?? null
  }
}
