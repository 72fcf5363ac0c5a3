import t, { type Test } from 'tap'
import { createQuota } from '../../lib/algorithms/quota.js'
import { createBucket } from '../fixtures/bucket.js'
import { ExactLog } from '../fixtures/exact-log.js'

const WINDOW_US = 1_000_000
const MAXIMA = [1, 10, 100, 128, 129, 1000]

/** A request for `units` at a time. */
interface Arrival {
  readonly atUs: number
  readonly units: number
}

/** What the kept log grants of these arrivals, as a share of what an exact one grants. */
function yieldOf (max: number, arrivals: readonly Arrival[]): number {
  const bucket = createBucket(createQuota('sliding-window', max, WINDOW_US))
  const exact = new ExactLog(max, WINDOW_US)
  let granted = 0
  let due = 0
  for (const { atUs, units } of arrivals) {
    if (bucket.take(units, atUs).granted) granted += units
    if (exact.take(units, atUs)) due += units
  }
  return granted / due
}

function steady (perWindow: number, windows: number): Arrival[] {
  return Array.from({ length: Math.ceil(perWindow * windows) }, (_, index) => ({ atUs: Math.floor(index * WINDOW_US / perWindow), units: 1 }))
}

function bursts (size: number, everyUs: number, windows: number): Arrival[] {
  const arrivals: Arrival[] = []
  for (let atUs = 0; atUs < windows * WINDOW_US; atUs += everyUs) {
    for (let unit = 0; unit < size; unit++) arrivals.push({ atUs: Math.floor(atUs), units: 1 })
  }
  return arrivals
}

/** Independent arrivals: exponential gaps from a small generator with a fixed seed. */
function random (perWindow: number, windows: number): Arrival[] {
  const arrivals: Arrival[] = []
  let seed = 12345
  for (let atUs = 0; atUs < windows * WINDOW_US;) {
    seed = seed * 48_271 % 2_147_483_647
    atUs -= Math.log(seed / 2_147_483_647) * WINDOW_US / perWindow
    arrivals.push({ atUs: Math.floor(atUs), units: 1 })
  }
  return arrivals
}

function isEnough (t: Test, max: number, arrivals: readonly Arrival[], title: string): void {
  const share = yieldOf(max, arrivals)
  t.ok(share >= 0.99, `${title}: ${(share * 100).toFixed(2)} %`)
}

for (const max of MAXIMA) {
  const windows = max > 200 ? 30 : 100

  t.test(`max ${max} grants at least 99 % of what an exact log grants`, async (t) => {
    for (const load of [1.01, 1.1, 1.7, 3, 10]) {
      isEnough(t, max, steady(max * load, windows), `steady at ${load} times max`)
      isEnough(t, max, random(max * load, windows), `random at ${load} times max`)
    }
    for (const every of [0.01, 0.1, 0.37, 0.5, 0.995, 1, 1.003]) {
      isEnough(t, max, bursts(max, every * WINDOW_US, every < 0.1 ? 20 : windows), `bursts of max every ${every} windows`)
    }
  })
}
