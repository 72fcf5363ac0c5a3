// Results of a method of ioredis, seen without a change of the method.
import t from 'tap'
import { observeResults } from '../../../lib/stores/redis/observe-results.js'

class Adder {
  readonly base = 10
  add (one: number, other: number): number { return this.base + one + other }
}

t.test('each observer gets each result, and the caller too', async (t) => {
  const adder = new Adder()
  const seen: unknown[][] = [[], []]
  const removes = seen.map((results) => observeResults(adder, 'add', (result) => { results.push(result) }))
  t.equal(adder.add(1, 2), 13)
  removes[0]()
  t.equal(adder.add(3, 4), 17)
  t.strictSame(seen, [[13], [13, 17]])
  const another = observeResults(adder, 'add', (result) => { seen[0].push(result) })
  adder.add(0, 0)
  another()
  t.strictSame(seen, [[13, 10], [13, 17, 10]], 'once each')
  t.equal(new Adder().add(1, 1), 12, 'another object is not observed')
  t.strictSame(seen[0].length, 2)
})

t.test('an object without the method stays as it is', async (t) => {
  const owner = { add: 'no function' }
  observeResults(owner, 'add', () => { t.fail() })()
  observeResults(owner, 'subtract', () => { t.fail() })()
  t.strictSame(owner, { add: 'no function' })
})
