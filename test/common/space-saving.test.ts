import fc from 'fast-check'
import t from 'tap'
import { SpaceSaving } from '../../lib/common/space-saving.js'
import { assertProperty } from '../fixtures/property.js'

interface Counted {
  readonly key: string
  readonly times: number
}

/** Few keys often and many once, in any order, with the weights of requests that are looked at. */
const streams = fc.array(fc.record({
  key: fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.nat({ max: 60 }).map(String)),
  times: fc.constantFrom(1, 64)
}), { maxLength: 400 })

function countExactly (stream: readonly Counted[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { key, times } of stream) counts.set(key, (counts.get(key) ?? 0) + times)
  return counts
}

interface Marked {
  mark: number
}

/** Each key has the index of its last element in the stream. */
function count (stream: readonly Counted[], capacity: number): SpaceSaving<Marked> {
  const counts = new SpaceSaving<Marked>(capacity)
  stream.forEach(({ key, times }, index) => { counts.add(key, () => ({ mark: -1 }), times).mark = index })
  return counts
}

function list (counts: SpaceSaving<Marked>) {
  return Array.from(counts.counts(), ({ text, key: { mark }, count, error }) => ({ text, mark, count, error }))
}

t.test('a count is never too low, and too high by its error at most', async () => {
  assertProperty(fc.record({ stream: streams, capacity: fc.integer({ min: 1, max: 12 }) }), 400, ({ stream, capacity }) => {
    const counts = count(stream, capacity)
    const exact = countExactly(stream)
    const total = stream.reduce((sum, { times }) => sum + times, 0)
    if (list(counts).reduce((sum, entry) => sum + entry.count, 0) !== total) throw new Error('counts do not add up to the total')
    for (const [key, truth] of exact) {
      const entry = counts.find(key)
      if (entry === null) {
        if (truth > counts.absentCount) throw new Error(`${key}: ${truth} is more than an absent key may have`)
        if (truth > total / capacity) throw new Error(`${key}: ${truth} of ${total} is absent`)
      } else if (truth > entry.count || entry.count > truth + entry.error) {
        throw new Error(`${key}: ${truth} is counted as ${entry.count} with an error of ${entry.error}`)
      }
    }
  })
})

t.test('while every key has room, counts are exact', async (t) => {
  const counts = count([{ key: 'a', times: 1 }, { key: 'b', times: 64 }, { key: 'a', times: 1 }], 2)
  t.strictSame(list(counts), [{ text: 'a', mark: 2, count: 2, error: 0 }, { text: 'b', mark: 1, count: 64, error: 0 }])
  t.equal(counts.absentCount, 2)
  t.equal(counts.find('c'), null)
})

t.test('a new key takes the place of the least frequent one', async (t) => {
  const counts = count([{ key: 'a', times: 3 }, { key: 'b', times: 1 }, { key: 'c', times: 1 }], 2)
  t.equal(counts.find('b'), null)
  t.match(counts.find('c'), { text: 'c', key: { mark: 2 }, count: 2, error: 1 })
})
