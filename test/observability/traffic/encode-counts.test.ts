import fc from 'fast-check'
import t from 'tap'
import { decodeCounts, encodeCounts, MAX_COUNT } from '../../../lib/observability/traffic/encode-counts.js'
import { assertProperty } from '../../fixtures/property.js'

const counts = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 20 }), fc.nat({ max: MAX_COUNT })), { maxLength: 360 })

t.test('counts are the same after a round trip', async () => {
  assertProperty(counts, 400, (given) => {
    const read = decodeCounts(encodeCounts(given), given.length)
    if (JSON.stringify(read) !== JSON.stringify(given)) throw new Error(JSON.stringify(read))
  })
})

const lengths: ReadonlyArray<readonly [counts: readonly number[], length: number, why: string]> = [
  [new Array<number>(360).fill(0), 0, 'nothing happened'],
  [new Array<number>(360).fill(7), 3, 'the same in every step'],
  [[...new Array<number>(300).fill(0), 5, ...new Array<number>(59).fill(0)], 3, 'one step of an hour'],
  [Array.from({ length: 360 }, (_, step) => step % 8), 360, 'a small difference is one character'],
  [Array.from({ length: 360 }, (_, step) => step % 2 * 2 ** 32), 360 * 6, 'no difference is longer than six']
]

for (const [given, length, why] of lengths) {
  t.test(`a text is short: ${why}`, async (t) => {
    t.ok(encodeCounts(given).length <= length, String(encodeCounts(given).length))
  })
}

t.test('a count is cut where no process gets to', async (t) => {
  t.strictSame(decodeCounts(encodeCounts([MAX_COUNT + 1]), 1), [MAX_COUNT])
})

t.test('any text gives as many counts as are wanted, 0 or more', async () => {
  assertProperty(fc.string({ maxLength: 400 }), 200, (text) => {
    const read = decodeCounts(text, 360)
    if (read.length !== 360 || !read.every((count) => Number.isSafeInteger(count) && count >= 0)) throw new Error(JSON.stringify(read))
  })
})
