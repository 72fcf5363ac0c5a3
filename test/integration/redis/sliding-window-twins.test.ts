// A log of grants is checked, charged and refunded in Lua exactly as in TypeScript: random rows, many of them at a border.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { GrantLog } from '../../../lib/algorithms/sliding-window.js'
import { composeScript } from '../../../lib/stores/redis/scripts.js'
import { packLimit } from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'
import { createBucket } from '../../fixtures/bucket.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { Seeded } from '../../fixtures/seeded.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)
const [lists, vector] = ['log-lists.lua', 'sliding-window-vector.lua'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
const script = composeScript(lists + vector)

const NOW_US = 1_790_000_000_123_000
const MAXIMA = [0, 1, 2, 7, 10, 130, 1000, 700_000, 4_000_000_000]
const WINDOWS_US = [7, 1000, 333_333, SECOND_US, 60 * SECOND_US, 3600 * SECOND_US - 1, 3600 * SECOND_US, 86_400 * SECOND_US]

interface Row {
  readonly limit: Limit
  readonly state: GrantLog
  readonly nowUs: number
  readonly operation: { readonly cost: number } | { readonly charge: number } | { readonly refund: number, readonly chargedAtUs: number }
}

function drawUnits (random: Seeded, max: number): number {
  return random.pick([0, 1, 1, max - 1, max, max + 1, 2 * max, 127, 128, random.nextInt(max + 2)])
}

/** Grants up to now, or a little later, as after a step back of the clock. Entries are apart as they would be. */
function drawState (random: Seeded, { max, windowUs, mergeUs }: Limit, nowUs: number): GrantLog {
  const gapsUs = [1, mergeUs, mergeUs + 1, Math.ceil(windowUs / 4), Math.ceil(windowUs / 3), windowUs, 500 * Math.ceil(mergeUs / 500), 1000 * Math.ceil(windowUs / 3000)]
  let us = nowUs + random.pick([0, 0, 0, -1, 1, -mergeUs, mergeUs - 1, mergeUs, -windowUs, 1 - windowUs, windowUs, -Math.ceil(windowUs / 2)])
  const firstUs = us - random.pick([0, 0, 1, mergeUs - 1])
  const entries: number[][] = []
  for (let left = random.nextInt(6); left > 0; left--) {
    entries.unshift([us, 1 + random.nextInt(random.pick([1, 3, Math.max(1, max)]))])
    us = Math.min(us - random.pick(gapsUs), firstUs)
    if (windowUs >= 3600 * SECOND_US) us = Math.floor(us / 1000) * 1000
  }
  const total = entries.reduce((sum, [, units]) => sum + units, 0)
  return total === 0 ? [0, 0] : [firstUs, total, ...entries.flat()]
}

function drawRow (random: Seeded): Row {
  const limit = limitOf({ algorithm: 'sliding-window', max: random.pick(MAXIMA), windowUs: random.pick(WINDOWS_US) })
  const nowUs = NOW_US + random.pick([0, 1, 457])
  const state = drawState(random, limit, nowUs)
  const left = Math.max(0, limit.max - state[1])
  const cost = random.pick([left, left + 1, drawUnits(random, limit.max)])
  const kind = random.nextInt(4)
  if (kind < 2) return { limit, state, nowUs, operation: { cost } }
  if (kind === 2) return { limit, state, nowUs, operation: { charge: drawUnits(random, limit.max) } }
  const grantedUs = state.filter((_, i) => i >= 2 && i % 2 === 0)
  const chargedAtUs = random.pick([nowUs, nowUs - limit.windowUs, nowUs - limit.windowUs + 1, ...grantedUs]) + random.pick([0, 0, 1, -1])
  return { limit, state, nowUs, operation: { refund: drawUnits(random, limit.max), chargedAtUs } }
}

/** What a store must know of a log: entries that left the window are nothing. */
function dropExpired (log: GrantLog, { limit, nowUs }: Row): GrantLog {
  const entries = log.slice(2).flatMap((us, i) => i % 2 === 0 && nowUs - us < limit.windowUs ? [[us, log[i + 3]]] : [])
  const total = entries.reduce((sum, [, units]) => sum + units, 0)
  return total === 0 ? [0, 0] : [log[0], total, ...entries.flat()]
}

function answer (row: Row): unknown {
  const { limit, state, nowUs, operation } = row
  const bucket = createBucket(limit, state)
  const isCheck = 'cost' in operation
  const result = isCheck
    ? bucket.take(operation.cost, nowUs)
    : 'charge' in operation
      ? bucket.charge(operation.charge, nowUs)
      : bucket.refund(operation.refund, { chargedAtUs: operation.chargedAtUs, chargedUntilUs: 0 }, nowUs)
  const retryUs = isCheck && result.retryUs !== 'never' ? result.retryUs : -1
  return {
    granted: isCheck && result.granted,
    isClamped: isCheck && state.length > 2 && state[state.length - 2] > nowUs,
    numbers: [result.remaining, result.resetUs, retryUs],
    state: dropExpired(bucket.state() as GrantLog, row)
  }
}

interface Reply { readonly granted: boolean, readonly isClamped: boolean, readonly numbers: string[], readonly state: string[] }

t.test('random logs', async (t) => {
  const random = new Seeded(1)
  for (let batch = 0; batch < scaleToLane(100, 20); batch++) {
    const rows = Array.from({ length: 200 }, () => drawRow(random))
    const packed = Buffer.concat(rows.map(({ limit }) => packLimit(limit)))
    const texts = JSON.stringify(rows.map(({ state, nowUs, operation }) => ({ state, nowUs, ...operation })))
    const reply = JSON.parse(String(await redis.eval(script.lua, 0, packed, texts, String(NOW_US)))) as { rows: Reply[], hasDamage: boolean }
    assert.equal(reply.hasDamage, false)
    rows.forEach((row, i) => {
      const { numbers, state, ...rest } = reply.rows[i]
      assert.deepEqual({ ...rest, numbers: numbers.map(Number), state: state.map(Number) }, answer(row), JSON.stringify(row))
    })
  }
  t.pass('all rows')
})
