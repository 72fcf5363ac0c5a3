// Slots that travel with checks: one report of a partition in a call, whatever its checks ask for.
import t, { type Test } from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import { Batch } from '../../../lib/stores/redis/batch.js'
import { HeldSlots } from '../../../lib/stores/redis/held-slots.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { ANSWER_BYTES, CHARGE_BYTES, readNumber, SLOT_REPORT_BYTES, TIME_BYTES } from '../../../lib/stores/redis/wire-format.js'
import type { Charge } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { sleep } from '../../fixtures/until.js'

const slots = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 10, 60_000_000) }
const rate = limitOf({ bucket: 'app/rate' })
const keys = new KeyWriter('sluice:')
const chargeOf = (partition: string, cost = 1): Charge => ({ limit: slots, partition, cost })

function open (t: Test) {
  const counts = new InFlightCounts()
  const sent: string[] = []
  const held = new HeldSlots({
    counts,
    formatKey: (_, partition) => partition,
    async send (reports) {
      for (const { partition, slots, isKept } of reports) sent.push(`${partition} ${slots}${isKept ? ' kept' : ''}`)
      return true
    }
  })
  t.teardown(() => held.end())
  return { counts, sent, held, batch: new Batch(held), count: (partition: string) => counts.get(slots, partition) }
}

function reply (...states: number[]): Buffer {
  const packed = Buffer.alloc(TIME_BYTES + states.length * ANSWER_BYTES)
  states.forEach((state, i) => { packed[TIME_BYTES + i * ANSWER_BYTES] = state })
  return packed
}

/** The sequence and slots of each report in the checks of a batch with one charge each. */
function reportsOf ({ args: [, checks] }: Batch): number[][] {
  const bytes = 1 + CHARGE_BYTES + SLOT_REPORT_BYTES
  return Array.from({ length: checks.length / bytes }, (_, i) => {
    const at = i * bytes + 1 + CHARGE_BYTES
    return [readNumber(checks, at), checks.readUInt32BE(at + 7)]
  })
}

t.test('checks of one partition share a report, and a look has none', async (t) => {
  const { batch, held } = open(t)
  for (const charge of [chargeOf('a'), chargeOf('b'), chargeOf('a'), chargeOf('a', 0)]) batch.add([charge], true)
  batch.pack(keys)
  t.strictSame(reportsOf(batch), [[1, 0], [2, 0], [1, 0], [0, 0]])
  t.equal(held.open(slots, 'c').sequence, 3)
  batch.complete(reply(3, 3, 3, 3))
})

t.test('each check gets the slots that Redis has counted for it', async (t) => {
  const { batch, count, sent } = open(t)
  const answers = [chargeOf('a'), chargeOf('b'), chargeOf('b')].map((charge) => batch.add([charge], true))
  batch.pack(keys)
  batch.complete(reply(0, 3, 3))
  t.match(await Promise.all(answers), [{ granted: false }, { granted: true }, { granted: true }])
  t.strictSame([count('a'), count('b')], [0, 2])
  await sleep(20)
  t.strictSame(sent, [], 'nothing else is to be reported')
})

t.test('a check whose slots or rate could not be read holds none', async (t) => {
  for (const states of [[3, 4], [4, 3]]) {
    const { batch, count } = open(t)
    const answer = batch.add([{ limit: rate, partition: 'a', cost: 1 }, chargeOf('a')], true)
    batch.pack(keys)
    batch.complete(reply(...states))
    t.strictSame([await answer, count('a')], [{ unavailable: 'error' }, 0])
  }
})

t.test('a look takes no slots, and leaves those of others', async (t) => {
  const { batch, count } = open(t)
  const answers = [chargeOf('a', 0), chargeOf('a')].map((charge) => batch.add([charge], true))
  batch.pack(keys)
  batch.complete(reply(1, 3))
  t.match(await Promise.all(answers), [{ standings: [{ charged: 0 }] }, { standings: [{ charged: 1 }] }])
  t.equal(count('a'), 1)
})

for (const [how, end] of [
  ['fails', (batch: Batch) => { batch.fail('deadline') }],
  ['is divided', (batch: Batch) => { batch.removeChecks() }],
  ['is sent again', (batch: Batch) => { batch.pack(keys) }]
] as const) {
  t.test(`slots of a call that ${how} may have been taken`, async (t) => {
    const { batch, sent, held } = open(t)
    batch.add([chargeOf('a')], true).catch(() => {})
    batch.pack(keys)
    end(batch)
    await sleep(20)
    if (how === 'is sent again') {
      t.strictSame([sent, reportsOf(batch)], [[], [[2, 0]]], 'and are asked for again')
      t.match(held.open(slots, 'a'), { slots: 1, isKept: true })
    } else {
      t.strictSame(sent, ['a 0 kept'])
    }
  })
}
