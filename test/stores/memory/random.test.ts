// Samples: repeatable by their seed.
import t from 'tap'
import { Random, secretWords } from '../../../lib/stores/memory/random.js'

const wordsOf = (seed: number) => {
  const random = new Random(seed)
  return [1, 2, 3].map(() => random.word())
}

t.test('each seed has a sequence of its own, also zero', async (t) => {
  t.strictSame(wordsOf(1), [270_369, 67_634_689, -1_647_531_835], 'as Marsaglia has it')
  const sequences = [0, 1, 2, 2 ** 31, 2 ** 32 - 1].map(wordsOf)
  t.equal(new Set(sequences.map(String)).size, 5)
  t.ok(sequences.every((words) => words.every((word) => word !== 0)))
  t.strictSame(wordsOf(2 ** 32), wordsOf(0), 'by its lower 32 bits')
})

t.test('numbers below a bound are all of them, about as often', async (t) => {
  const random = new Random(7)
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i++) counts[random.below(10)]++
  t.ok(counts.every((count) => count > 900 && count < 1100), String(counts))
  t.strictSame(counts.length, 10)
})

t.test('secret words are new each time', async (t) => {
  const [one, other] = [secretWords(4), secretWords(4)]
  t.strictSame([one.length, other.length], [4, 4])
  t.notSame([...one], [...other])
})
