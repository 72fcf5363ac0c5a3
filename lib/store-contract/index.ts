import type { Store } from '../stores/store.js'
import { corrections } from './corrections.js'
import type { Advance, DefineCase } from './assertions.js'
import { ALGORITHMS } from './limits.js'
import { throttling } from './throttling.js'
import { penalties } from './penalties.js'
import { severalLimits } from './several-limits.js'
import { sharedBuckets } from './shared-buckets.js'
import { singleLimit } from './single-limit.js'

/** A store, and its time in the hands of a test. */
export interface StoreUnderTest {
  /** An empty one. */
  readonly store: Store
  /**
   * Lets time pass for the store, whole microseconds; less than 0 where its clock steps back. Between two calls its time
   * must stand still, or exact waits could not be checked.
   */
  readonly advance: (us: number) => void | Promise<void>
}

/** One thing that every store does. */
export interface StoreCase {
  /** States it. Begins with what it is about, where that is one thing: `sliding-window: `, `penalty: `. */
  readonly title: string
  /** Checks it on a store of its own, which it closes at the end. Rejects with an AssertionError of node:assert. */
  readonly run: (createStore: () => StoreUnderTest | Promise<StoreUnderTest>) => Promise<void>
}

/**
 * What every store does, whatever it keeps buckets in. Our own stores are held to the same cases.
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
  for (const algorithm of ALGORITHMS) singleLimit(defineCase, algorithm)
  severalLimits(defineCase)
  sharedBuckets(defineCase)
  corrections(defineCase)
  throttling(defineCase)
  penalties(defineCase)
  return cases
}

async function runCase (createStore: () => StoreUnderTest | Promise<StoreUnderTest>, check: (store: Store, advance: Advance) => Promise<void>): Promise<void> {
  const { store, advance } = await createStore()
  try {
    await check(store, advance)
  } finally {
    await store.close?.()
  }
}
