import assert from 'node:assert/strict'
import { isUnavailable, type Charge, type Limit, type Receipt, type Store } from '../stores/store.js'

/** Lets time pass for the store, microseconds; also less than 0, for its clock may step back. */
export type Advance = (us: number) => void | Promise<void>

/** States a fact, and checks it on an empty store. */
export type DefineCase = (title: string, check: (store: Store, advance: Advance) => Promise<void>) => void

export const PARTITION = 'ip:203.0.113.9'

/** What a store says of charges that it can decide. */
export async function takeOrFail (store: Store, charges: readonly Charge[]): Promise<Receipt> {
  const answer = await store.take(charges)
  if (isUnavailable(answer)) throw new assert.AssertionError({ message: `no answer: ${answer.unavailable}` })
  for (const [i, { limit, partition }] of answer.standings.entries()) {
    if (limit !== charges[i]?.limit || partition !== charges[i].partition) {
      throw new assert.AssertionError({ message: `standings[${i}] is not that of charges[${i}]: it has the same limit, the object itself, and the same partition` })
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

/** A receipt without its times. */
export function summarize (receipt: Receipt): unknown {
  return [receipt.granted, ...receipt.standings.map(({ granted, charged, remaining }) => ({ granted, charged, remaining }))]
}

/** `what`: where or why it must be so. */
export function assertEqual (actual: unknown, expected: unknown, what?: string): void {
  compare(actual, expected, what)
}

/** The same of those fields only that `expected` has; its arrays are as long as those that they stand for. */
export function assertMatches (actual: unknown, expected: unknown, what?: string): void {
  compare(pickShape(actual, expected), expected, what)
}

export function assertTrue (condition: boolean, what: string): void {
  compare(condition, true, what)
}

/** A message of ours would hide what differs, so it goes in front. */
function compare (actual: unknown, expected: unknown, what: string | undefined): void {
  try {
    assert.deepEqual(actual, expected)
  } catch (error) {
    if (what === undefined || !(error instanceof Error)) throw error
    throw new assert.AssertionError({ message: `${what}: ${error.message}`, actual, expected, operator: 'deepStrictEqual' })
  }
}

/** As much of a value as another one has. */
function pickShape (actual: unknown, expected: unknown): unknown {
  if (!isObject(actual) || !isObject(expected) || Array.isArray(actual) !== Array.isArray(expected)) return actual
  if (Array.isArray(actual)) return actual.map((entry, i) => Array.isArray(expected) && i < expected.length ? pickShape(entry, expected[i]) : entry)
  return Object.fromEntries(Object.entries(expected).map(([key, value]) => [key, pickShape(Reflect.get(actual, key), value)]))
}

function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
