import assert from 'node:assert/strict'
import { isObject } from '../common/type-guards.js'
import { isUnavailable, type Charge, type Limit, type Receipt, type Store } from '../stores/store.js'

/** Advances the clock of the store, microseconds. Less than 0 steps it back. */
export type Advance = (us: number) => void | Promise<void>

/** Defines a case: its title, and a check on an empty store. */
export type DefineCase = (title: string, check: (store: Store, advance: Advance) => Promise<void>) => void

export const PARTITION = 'ip:203.0.113.9'

/** Take charges. Throws if the store returns no receipt, or standings of other charges. */
export async function takeOrFail (store: Store, charges: readonly Charge[]): Promise<Receipt> {
  const answer = await store.take(charges)
  if (isUnavailable(answer)) {
    throw new assert.AssertionError({ message: `take: expected a receipt, got { unavailable: '${answer.unavailable}' }` })
  }
  for (const [i, { limit, partition }] of answer.standings.entries()) {
    if (limit !== charges[i]?.limit || partition !== charges[i].partition) {
      const message = `standings[${i}]: expected the limit (the same object) and the partition of charges[${i}]`
      throw new assert.AssertionError({ message })
    }
  }
  return answer
}

export function createCharge (limit: Limit, cost = 1, partition = PARTITION): Charge {
  return { limit, partition, cost }
}

export async function fetchRemaining (store: Store, limit: Limit, partition = PARTITION): Promise<number> {
  const [standing] = await store.peek([limit], partition)
  return standing.remaining
}

/** The fields of a receipt that are not times. */
export function summarize (receipt: Receipt): unknown {
  return [receipt.granted, ...receipt.standings.map(({ granted, charged, remaining }) => ({ granted, charged, remaining }))]
}

/** `what`: where or why the values must be equal. */
export function assertEqual (actual: unknown, expected: unknown, what?: string): void {
  compare(actual, expected, what)
}

/** Like `assertEqual`, but compares only the fields that `expected` has. Arrays must have the same length. */
export function assertMatches (actual: unknown, expected: unknown, what?: string): void {
  compare(pickShape(actual, expected), expected, what)
}

export function assertTrue (condition: boolean, what: string): void {
  compare(condition, true, what)
}

/** Put `what` before the message of `node:assert`. As the only message it would hide the difference. */
function compare (actual: unknown, expected: unknown, what: string | undefined): void {
  try {
    assert.deepEqual(actual, expected)
  } catch (error) {
    if (what === undefined || !(error instanceof Error)) throw error
    throw new assert.AssertionError({ message: `${what}: ${error.message}`, actual, expected, operator: 'deepStrictEqual' })
  }
}

/** Pick the fields of a value that another value has. */
function pickShape (actual: unknown, expected: unknown): unknown {
  if (!isObject(actual) || !isObject(expected) || Array.isArray(actual) !== Array.isArray(expected)) return actual
  if (Array.isArray(actual)) {
    return actual.map((entry, i) => Array.isArray(expected) && i < expected.length ? pickShape(entry, expected[i]) : entry)
  }
  return Object.fromEntries(Object.entries(expected).map(([key, value]) => [key, pickShape(Reflect.get(actual, key), value)]))
}
