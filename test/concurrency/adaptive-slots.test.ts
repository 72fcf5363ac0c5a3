// The slots of a limit that follows latency, by themselves: what counts as a measure.
import t from 'tap'
import { AdaptiveSlots } from '../../lib/concurrency/adaptive-slots.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const MS = 1000

/** Slots that are always full, with requests of 100 ms so far. */
function createSlots () {
  const clock = new ManualClock()
  const terms = { min: 1, max: 100 }
  const slots = new AdaptiveSlots(terms, clock)
  const room = slots.getRoom(0, terms)
  const run = (windows: number, latencyMs: number, isWhole = true) => {
    for (let i = 0; i < windows * 10; i++) {
      while (room.hasSlot()) room.change(1)
      clock.advance(15 * MS)
      room.change(-1)
      slots.observe(latencyMs * MS, clock.nowUs(), isWhole)
    }
  }
  run(10, 100)
  return { slots, room, clock, run }
}

t.test('a short failure is no measure of latency, a long one is', async (t) => {
  const { slots, run } = createSlots()
  const before = slots.max
  t.ok(before > 20)
  run(10, 1, false)
  t.equal(slots.max, before)
  run(2, 100)
  t.ok(slots.max > before, 'the baseline is as it was')
  const high = slots.max
  run(30, 1000, false)
  t.ok(slots.max < high / 2)
})

t.test('the bounds are those of the latest request', async (t) => {
  const { slots, run } = createSlots()
  const terms = { min: 2, max: 7 }
  const room = slots.getRoom(0, terms)
  t.notOk(room.hasSlot())
  t.equal(slots.max, 7)
  run(1, 100)
  t.ok(slots.max > 7)
})

t.test('slots are kept for a priority until ten seconds after its last request', async (t) => {
  const clock = new ManualClock()
  const terms = { min: 20, max: 20 }
  const slots = new AdaptiveSlots(terms, clock)
  const [low, high] = [slots.getRoom(0, terms), slots.getRoom(1, terms)]
  const fill = () => {
    let count = 0
    for (; low.hasSlot(); count++) low.change(1)
    low.change(-count)
    return count
  }
  t.equal(fill(), 20)
  high.hasSlot()
  t.equal(fill(), 13, 'less 5 in reserve and 2 that are kept')
  clock.advance(9999 * MS)
  t.equal(fill(), 13)
  clock.advance(1 * MS)
  t.equal(fill(), 20)
  high.change(1)
  clock.advance(60_000 * MS)
  t.equal(fill(), 13, 'a request in flight, and one more that is kept')
})

t.test('the limit grows where requests are refused for what is kept for others', async (t) => {
  const clock = new ManualClock()
  const terms = { min: 1, max: 100 }
  const slots = new AdaptiveSlots(terms, clock)
  const [low, high] = [slots.getRoom(0, terms), slots.getRoom(1, terms)]
  for (let i = 0; i < 100; i++) {
    high.hasSlot()
    while (low.hasSlot()) low.change(1)
    clock.advance(15 * MS)
    low.change(-1)
    slots.observe(100 * MS, clock.nowUs(), true)
  }
  t.ok(slots.max > 25)
})
