import type { Store } from '../stores/store.js'
import { calendarWindows } from './calendar-windows.js'
import { corrections } from './corrections.js'
import type { Advance, DefineCase } from './assertions.js'
import { inFlight } from './in-flight.js'
import { ALGORITHMS } from './limits.js'
import { throttling } from './throttling.js'
import { penalties } from './penalties.js'
import { severalLimits } from './several-limits.js'
import { sharedBuckets } from './shared-buckets.js'
import { singleLimit } from './single-limit.js'

/** A store whose clock the test controls. */
export interface StoreUnderTest {
  /** An empty store. */
  readonly store: Store
  /**
   * Advances the clock of the store, whole microseconds. Less than 0 steps it back. Between two calls the clock must not
   * move, because waits are checked exactly.
   */
  readonly advance: (us: number) => void | Promise<void>
}

/** One case that every store must pass. */
export interface StoreCase {
  /** What the store does. It starts with the topic if there is one, such as `sliding-window: ` or `penalty: `. */
  readonly title: string
  /** Runs the case on a new store, and closes it at the end. Rejects with an AssertionError of node:assert. */
  readonly run: (createStore: () => StoreUnderTest | Promise<StoreUnderTest>) => Promise<void>
}

/**
 * The cases that every store must pass. The stores of this package pass the same cases.
 *
 *     import { test } from 'node:test'
 *     import { storeContract } from 'fastify-sluice/store-contract'
 *
 *     for (const { title, run } of storeContract()) {
 *       test(title, () => run(() => {
 *         let nowUs = Date.now() * 1000
 *         return { store: new MyStore({ nowUs: () => nowUs }), advance: (us) => { nowUs += us } }
 *       }))
 *     }
 */
export function storeContract (): StoreCase[] {
  const cases: StoreCase[] = []
  const defineCase: DefineCase = (title, check) => {
    cases.push({ title, run: (createStore) => runCase(createStore, check) })
  }
  for (const algorithm of [...ALGORITHMS, 'calendar-window'] as const) singleLimit(defineCase, algorithm)
  calendarWindows(defineCase)
  severalLimits(defineCase)
  sharedBuckets(defineCase)
  corrections(defineCase)
  throttling(defineCase)
  penalties(defineCase)
  inFlight(defineCase)
  return cases
}

async function runCase (
  createStore: () => StoreUnderTest | Promise<StoreUnderTest>, check: (store: Store, advance: Advance) => Promise<void>
): Promise<void> {
  const { store, advance } = await createStore()
  try {
    await check(store, advance)
  } finally {
    await store.close?.()
  }
}
