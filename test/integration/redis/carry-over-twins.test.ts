// A bucket that another version of its limit wrote is converted in Lua exactly as in TypeScript: random rows, many of them at a border.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { overuseEndUs, type Overuse } from '../../../lib/algorithms/carry-over.js'
import { isExact, type QuotaAlgorithm } from '../../../lib/algorithms/quota.js'
import type { GrantLog } from '../../../lib/algorithms/sliding-window.js'
import { convertBucket, noteUsed, type Bucket } from '../../../lib/stores/memory/bucket.js'
import { composeScript } from '../../../lib/stores/redis/scripts.js'
import { packLimit } from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { Seeded } from '../../fixtures/seeded.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)
const [lists, vector] = ['log-lists.lua', 'carry-over-vector.lua'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
const script = composeScript(lists + vector)

const NOW_US = 1_790_000_000_123_000
const MAXIMA = [1, 2, 3, 7, 10, 100, 999]
const WINDOWS_US = [1000, 7, 333_333, SECOND_US, 10 * SECOND_US, 60 * SECOND_US, 3600 * SECOND_US]
const MAX_UNITS = 2 ** 40 - 1
const NUMBERS: Record<QuotaAlgorithm, number> = { 'token-bucket': 1, 'sliding-window': 2, 'fixed-window': 3, 'calendar-window': 4, concurrency: 5 }

interface Row {
  readonly written: Limit
  readonly limit: Limit
  readonly state: number[]
  readonly overuse: Overuse | null
  readonly nowUs: number
  /** End of the slot, grid, units apart in this slot and in the next one. Not drawn. */
  readonly leases?: readonly number[]
  /** Noted in the overuse after the change. */
  readonly units: number
}

function drawLimit (random: Seeded): Limit {
  while (true) {
    const max = random.pick(MAXIMA)
    const algorithm = random.pick([...ALGORITHMS, 'calendar-window'] as const)
    const limit = limitOf({ algorithm, max, windowUs: random.pick(WINDOWS_US), burst: random.nextInt(3) === 0 ? 1 + random.nextInt(2 * max) : undefined })
    if (isExact(limit)) return limit
  }
}

/** A time before now: a part of the window, give or take a microsecond. Sometimes after now. */
function drawAgeUs (random: Seeded, windowUs: number): number {
  return Math.floor(windowUs * random.pick([0, 0.25, 0.5, 1, 1, 1.5, -0.5])) + random.pick([-1, 0, 0, 1])
}

function drawUnits (random: Seeded, max: number): number {
  return random.pick([0, 1, max - 1, max, max, max + 1, 2 * max, random.nextInt(2 * max + 1)])
}

function drawLog (random: Seeded, { max, windowUs }: Limit, nowUs: number): GrantLog {
  const agesUs = Array.from({ length: random.nextInt(5) }, () => drawAgeUs(random, windowUs)).sort((a, b) => b - a)
  const entries = agesUs.map((ageUs) => [nowUs - ageUs, 1 + random.nextInt(max)])
  const first = entries.length === 0 ? 0 : entries[entries.length - 1][0] - random.pick([0, 0, 1])
  return [first, entries.reduce((sum, [, units]) => sum + units, 0), ...entries.flat()]
}

function drawState (random: Seeded, limit: Limit, nowUs: number): number[] {
  const { algorithm, max, windowUs } = limit
  if (algorithm === 'sliding-window') return drawLog(random, limit, nowUs)
  const ageUs = drawAgeUs(random, windowUs)
  if (algorithm === 'fixed-window') return [nowUs - ageUs, drawUnits(random, max)]
  if (algorithm === 'calendar-window') return [nowUs + ageUs, drawUnits(random, max)]
  return [nowUs + random.pick([ageUs, ageUs, limit.capacityUs, Math.floor(drawUnits(random, max) * limit.windowUs / max)]), random.nextInt(limit.intervalDen)]
}

function drawOveruse (random: Seeded, { max, windowUs }: Limit, nowUs: number): Overuse | null {
  if (random.nextInt(2) === 0) return null
  const units = random.pick([0, 0.5, 1, max, max + 1, 2 * max, 5 * max, max + random.nextInt(1000) / 1000, MAX_UNITS])
  return { atUs: nowUs - random.pick([0, 0, drawAgeUs(random, windowUs)]), units, max, windowUs }
}

function drawRow (random: Seeded): Row {
  const written = drawLimit(random)
  const limit = random.nextInt(4) === 0 ? written : drawLimit(random)
  const nowUs = NOW_US + random.pick([0, 1, 457])
  const other = random.nextInt(3) === 0 ? written : drawLimit(random)
  return { written, limit, nowUs, state: drawState(random, written, nowUs), overuse: drawOveruse(random, other, nowUs), units: random.pick([0, 1, -1, 5, -1000, MAX_UNITS]) }
}

const toText = (overuse: Overuse | null) => overuse !== null && [overuse.atUs, overuse.units, overuse.max, overuse.windowUs].map(Number)

function isWrittenUnder (limit: Limit, written: Limit): boolean {
  return (['algorithm', 'max', 'windowUs', 'capacity'] as const).every((name) => limit[name] === written[name])
}

/** A log without units is an absent one. */
const toList = (log: GrantLog | null) => log === null || log[1] === 0 ? [0, 0] : log

function convert ({ written, limit, state, overuse, nowUs, units }: Row): unknown {
  const isLog = written.algorithm === 'sliding-window'
  const bucket: Bucket = { timeUs: isLog ? 0 : state[0], count: isLog ? 0 : state[1], log: isLog ? [...state] : null, overuse }
  if (!isWrittenUnder(limit, written)) convertBucket(bucket, written, limit, nowUs)
  const before = toText(bucket.overuse)
  noteUsed(bucket, units, nowUs)
  const endUs = bucket.overuse !== null && overuseEndUs(bucket.overuse)
  const interval = [written.intervalUs, written.intervalNum, written.intervalDen]
  return { leases: false, interval, state: limit.algorithm === 'sliding-window' ? toList(bucket.log) : [bucket.timeUs, bucket.count], overuse: before, noted: toText(bucket.overuse), endUs }
}

interface Reply { readonly leases: number[] | false, readonly interval: number[], readonly state: string[], readonly overuse: string | false, readonly noted: string | false, readonly endUs: string | false }

async function convertInRedis (rows: readonly Row[]) {
  const packed = Buffer.concat(rows.map(({ limit, nowUs }) => packLimit(limit, nowUs)))
  const texts = rows.map(({ written, overuse, ...row }) => {
    const { algorithm, max, windowUs, capacity } = written
    return { ...row, limit: undefined, written: { algorithm: NUMBERS[algorithm], max, windowUs, capacity }, overuse: overuse ?? undefined }
  })
  const replies = JSON.parse(String(await redis.eval(script.lua, 1, 'carry-over', packed, JSON.stringify(texts), String(NOW_US)))) as Reply[]
  const numbersOf = (text: string | false) => text !== false && text.split(' ').map(Number)
  return replies.map(({ leases, interval, state, overuse, noted, endUs }) => ({ leases: leases !== false && leases.map(Number), interval, state: state.map(Number), overuse: numbersOf(overuse), noted: numbersOf(noted), endUs: endUs !== false && Number(endUs) }))
}

t.test('random buckets under random limits, before and after', async (t) => {
  const random = new Seeded(1)
  for (let batch = 0; batch < scaleToLane(100, 20); batch++) {
    const rows = Array.from({ length: 200 }, () => drawRow(random))
    const converted = await convertInRedis(rows)
    rows.forEach((row, i) => { assert.deepEqual(converted[i], convert(row), JSON.stringify(row)) })
  }
  t.pass('all rows')
})

const OLD = limitOf({ max: 10 })
const SLOT = [NOW_US + 500, 1000] as const

// A unit of the limit before takes a second.
const LEASED: ReadonlyArray<readonly [title: string, limit: Limit, leases: readonly number[], state: readonly number[], leasesAfter: readonly number[] | false, usedUs: number]> = [
  ['units stay leased under the same numbers', OLD, [...SLOT, 3, 2], [NOW_US + 7 * SECOND_US, 0], [...SLOT, 3, 2], 7 * SECOND_US],
  ['and are used at least', OLD, [...SLOT, 3, 2], [NOW_US, 0], [...SLOT, 3, 2], 5 * SECOND_US],
  ['the slot advances under the same numbers', OLD, [NOW_US - 500, 1000, 3, 2], [NOW_US, 0], [Math.floor(NOW_US / 1000) * 1000 + 1000, 1000, 2, 0], 5 * SECOND_US - 500],
  ['units stay leased under a larger limit', limitOf({ max: 20 }), [...SLOT, 3, 2], [NOW_US + 7 * SECOND_US, 0], [...SLOT, 3, 2], 3.5 * SECOND_US],
  ['and are used at least there', limitOf({ max: 20 }), [...SLOT, 3, 2], [NOW_US, 0], [...SLOT, 3, 2], 2.5 * SECOND_US],
  ['the slot advances before', limitOf({ max: 20 }), [NOW_US - 500, 1000, 3, 2], [NOW_US, 0], [Math.floor(NOW_US / 1000) * 1000 + 1000, 1000, 2, 0], 2.5 * SECOND_US - 250],
  ['no more than the capacity stay leased, first those of this slot', limitOf({ max: 4 }), [...SLOT, 3, 2], [NOW_US, 0], [...SLOT, 3, 1], 10 * SECOND_US],
  ['none of the next slot where this one has all', limitOf({ max: 2 }), [...SLOT, 3, 2], [NOW_US, 0], [...SLOT, 2, 0], 10 * SECOND_US],
  ['under another algorithm none is leased', limitOf({ algorithm: 'fixed-window', max: 20 }), [...SLOT, 3, 2], [NOW_US + 7 * SECOND_US, 0], false, 0]
]

for (const [title, limit, leases, state, leasesAfter, usedUs] of LEASED) {
  t.test(`leases: ${title}`, async (t) => {
    const [after] = await convertInRedis([{ written: OLD, limit, state: [...state], overuse: null, nowUs: NOW_US, units: 0, leases }])
    t.strictSame({ leases: after.leases, usedUs: after.state[0] - NOW_US }, { leases: leasesAfter, usedUs })
  })
}
