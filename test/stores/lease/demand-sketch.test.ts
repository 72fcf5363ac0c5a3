// How busy a partition is, in two counters that it may share with others.
import t from 'tap'
import { DemandSketch } from '../../../lib/stores/lease/demand-sketch.js'
import { TextHasher } from '../../../lib/stores/memory/hash.js'

const INTERVAL_US = 1000

/** A partition such as `5 7` has these two counters. */
class NumberHasher extends TextHasher {
  override hash (text: string): void {
    [this.word0, this.word1] = text.split(' ').map(Number)
  }
}

function createSketch (hasher: TextHasher): { add (partition: string, units: number, nowUs: number): number } {
  const sketch = new DemandSketch(hasher, INTERVAL_US)
  return {
    add (partition, units, nowUs) {
      hasher.hash(partition)
      return sketch.add(units, nowUs)
    }
  }
}

const create = () => createSketch(new NumberHasher(0, 0))

t.test('units of a partition add up within an interval, to at most 255', async (t) => {
  const sketch = create()
  t.strictSame([sketch.add('0 1', 3, 0), sketch.add('0 1', 4, INTERVAL_US - 1)], [3, 7])
  t.strictSame([sketch.add('0 1', 4, INTERVAL_US), sketch.add('0 1', 4, 2 * INTERVAL_US - 1)], [4, 8], 'the next interval')
  t.equal(sketch.add('0 1', 1000, 2 * INTERVAL_US - 1), 255)
  t.equal(sketch.add('0 1', 1, 2 * INTERVAL_US - 1), 255)
  t.equal(sketch.add('0 1', 1, 5 * INTERVAL_US + 1), 1)
  t.equal(sketch.add('0 1', 1, 6 * INTERVAL_US), 2, 'an interval begins with a check')
})

t.test('a partition that shares one counter is not counted with the other', async (t) => {
  const sketch = create()
  t.strictSame([sketch.add('0 1', 5, 0), sketch.add('0 2', 1, 0), sketch.add('3 1', 2, 0)], [5, 1, 2])
  t.equal(sketch.add('0 1', 1, 0), 6, 'nor do they disturb it')
  t.equal(sketch.add('2 3', 1, 0), 2, 'one that shares both has the smaller count')
})

t.test('a hash selects one of 32,768 counters', async (t) => {
  const sketch = create()
  sketch.add('0 1', 5, 0)
  t.equal(sketch.add('32768 -32767', 1, 0), 6)
  t.equal(sketch.add('16384 16385', 1, 0), 1)
})

t.test('partitions of a real hash are counted apart', async (t) => {
  const sketch = createSketch(new TextHasher(1, 2))
  for (let i = 0; i < 50; i++) t.equal(sketch.add(`user:${i}`, 1 + i, 0), 1 + i)
})
