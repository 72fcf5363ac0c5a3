// The rules of slots in Lua answer as they do in TypeScript: the rows of the table, and random ones.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { composeScript } from '../../../lib/stores/redis/scripts.js'
import { assertPropertyAsync } from '../../fixtures/property.js'
import { answerReport } from '../../fixtures/reported-slots.js'
import { loadConcurrencyVectors, type ConcurrencyVector } from '../../fixtures/vectors.js'
import { openBench } from './open-store.js'

type Row = Omit<ConcurrencyVector, 'title' | 'expect'>

const script = composeScript(readFileSync(new URL('concurrency-vector.lua', import.meta.url), 'utf8'))
const { redis } = await openBench(t)

async function answerOf (row: Row): Promise<ConcurrencyVector['expect']> {
  const reply = await redis.eval(script.lua, 1, 'vectors:slots', '', JSON.stringify(row), String(row.nowUs))
  const [granted, left, holders] = reply as [number[], number, Array<[string, string]>]
  return {
    granted: granted.map((one) => one === 1),
    left,
    holders: holders.map(([instance, numbers]) => {
      const [sequence, slots, endsUs, leaseMs] = numbers.split(' ').map(Number)
      return { instance, sequence, slots, endsUs, leaseUs: leaseMs * 1000 }
    })
  }
}

t.test('the rows of the table', async (t) => {
  for (const { title, expect, ...row } of loadConcurrencyVectors()) t.strictSame(await answerOf(row), expect, title)
})

const NOW_US = 1_790_000_000_000_000
const instance = fc.constantFrom('a', 'b', 'c', 'd').map((letter) => letter.repeat(8))
const sequence = fc.integer({ min: 1, max: 6 })
const leaseUs = fc.constantFrom(1_000_000, 10_000_000)

t.test('random rows', async (t) => {
  const rows = fc.record({
    max: fc.integer({ min: 1, max: 9 }),
    holders: fc.uniqueArray(fc.record({
      instance, sequence, leaseUs, slots: fc.integer({ min: 1, max: 5 }), endsUs: fc.integer({ min: -3, max: 20_000_000 }).map((us) => NOW_US + us)
    }), { maxLength: 4, selector: (holder) => holder.instance }),
    nowUs: fc.constant(NOW_US),
    report: fc.record({ instance, sequence, leaseUs, slots: fc.integer({ min: 0, max: 5 }) }),
    costs: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 })
  })
  await assertPropertyAsync(rows, 1000, async (row) => { t.strictSame(await answerOf(row), answerReport(row)) })
})
