import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { families } from '../addresses.js'
import { FakeSocket } from '../in-process/exchange.js'
import { threadNs } from '../stopwatch.js'
import { answer } from '../worker.js'
import { subjects } from './subjects.js'

// Grow one store to many keys: the memory that each takes, and the longest that one of the checks holds the thread.

/** Checks that are timed together: one by one, the clock would cost more than they do. */
const BLOCK = 64
/** Shorter blocks cannot hold a pause worth telling. */
const NOTABLE_MS = 0.5

answer(async ({ keys, family, burnIn }) => {
  const check = await subjects.sluice({ max: 100, timeWindow: 86_400_000, memory: { maxKeys: keys } })
  const warm = await subjects.sluice({ max: 100, timeWindow: 86_400_000, memory: { maxKeys: keys } })
  // Compile the code on another store; the cache of addresses is not shared.
  for (let index = 0; index < burnIn; index += BLOCK) warm(block(families[family], index))
  const collections = []
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) collections.push({ startMs: startTime, endMs: startTime + duration })
  })
  const before = bytesInUse()
  observer.observe({ entryTypes: ['gc'] })
  const slow = []
  let totalNs = 0
  for (let index = 0; index < keys; index += BLOCK) {
    const sockets = block(families[family], index)
    const startMs = performance.now()
    const startNs = threadNs()
    check(sockets)
    const ns = threadNs() - startNs
    const endMs = performance.now()
    totalNs += ns
    if (ns > NOTABLE_MS * 1e6) slow.push({ startMs, endMs, ms: ns / 1e6 })
    // Collections are told between turns only.
    if (index % (BLOCK * 1000) === 0) await nextTurn()
  }
  await nextTurn()
  await nextTurn()
  observer.disconnect()
  const bytes = bytesInUse() - before
  // Still in use, so that the measurement above could not have collected either.
  check(block(families[family], 0))
  warm(block(families[family], 0))
  return { bytesPerKey: bytes / keys, nsPerCheck: totalNs / keys, ...longest(slow, collections) }
})

function block (addressAt, first) {
  return Array.from({ length: BLOCK }, (_, i) => new FakeSocket(addressAt(first + i)))
}

function bytesInUse () {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  // `external` has the array buffers in it.
  return heapUsed + external
}

/** The longest pauses, with and without the part of the block that lay in a garbage collection. */
function longest (slow, collections) {
  let pauseMs = 0
  let pauseOutsideGcMs = 0
  for (const { startMs, endMs, ms } of slow) {
    let gcMs = 0
    for (const collection of collections) gcMs += Math.max(0, Math.min(endMs, collection.endMs) - Math.max(startMs, collection.startMs))
    pauseMs = Math.max(pauseMs, ms)
    // A collection is told in wall time; its share of the block is the same in the thread's time.
    pauseOutsideGcMs = Math.max(pauseOutsideGcMs, ms * (1 - Math.min(1, gcMs / (endMs - startMs))))
  }
  return { pauseMs, pauseOutsideGcMs }
}
