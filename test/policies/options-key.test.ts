import t from 'tap'
import { createOptionsKeyFunction } from '../../lib/policies/options-key.js'

const wordsOf = createOptionsKeyFunction()

t.test('options that say the same have the same words', async (t) => {
  const cost = () => 1
  t.equal(wordsOf({ max: 5, timeWindow: '1s' }), wordsOf({ max: 5, timeWindow: '1s' }))
  t.equal(wordsOf({ max: 5, burst: undefined }), wordsOf({ max: 5 }))
  t.equal(wordsOf({ cost, max: 5 }), wordsOf({ cost, max: 5 }))
})

const apart: ReadonlyArray<readonly [why: string, one: object, other: object]> = [
  ['another number', { max: 5 }, { max: 6 }],
  ['a number and its text', { timeWindow: 1000 }, { timeWindow: '1000' }],
  ['another function', { cost: () => 1 }, { cost: () => 1 }],
  ['a function and what stands for one', { cost: () => 1 }, { cost: { function: 1 } }],
  ['another field of a limit', { limits: [{ name: 'a', max: 1 }] }, { limits: [{ name: 'b', max: 1 }] }]
]

for (const [why, one, other] of apart) {
  t.test(`${why} has other words`, async (t) => {
    t.not(wordsOf(one), wordsOf(other))
  })
}

t.test('what cannot be an option has none', async (t) => {
  const cycle: { self?: object } = {}
  cycle.self = cycle
  t.equal(wordsOf(cycle), null)
  t.equal(wordsOf({ max: 5n }), null)
})
