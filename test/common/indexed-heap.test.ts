import fc from 'fast-check'
import t from 'tap'
import { IndexedHeap, type HeapEntry } from '../../lib/common/indexed-heap.js'
import { assertProperty } from '../fixtures/property.js'

interface Step {
  readonly dueUs: number
  /** Instead of a push: which of those in the heap is taken out. */
  readonly removes: number | null
}

const steps: fc.Arbitrary<Step> = fc.record({ dueUs: fc.nat(20), removes: fc.option(fc.nat(1000), { freq: 2 }) })

function inOrder (a: HeapEntry, b: HeapEntry): number {
  return a.dueUs - b.dueUs || a.order - b.order
}

t.test('whatever is pushed and taken out, the first is the one that is due next', async () => {
  assertProperty(fc.array(steps, { maxLength: 200, size: 'max' }), 500, (history) => {
    const heap = new IndexedHeap<HeapEntry>()
    const inside: HeapEntry[] = []
    const outside: HeapEntry[] = []
    history.forEach(({ dueUs, removes }, order) => {
      if (removes === null || inside.length === 0) {
        const entry = { dueUs, order, index: -1 }
        heap.push(entry)
        inside.push(entry)
      } else {
        const [entry] = inside.splice(removes % inside.length, 1)
        if (!heap.remove(entry)) throw new Error('what is inside can be taken out')
        outside.push(entry)
      }
      if (outside.some((entry) => heap.remove(entry))) throw new Error('what is outside cannot be taken out')
      if (heap.size !== inside.length) throw new Error(`${heap.size} entries instead of ${inside.length}`)
      if (heap.first !== (inside.sort(inOrder)[0] ?? null)) throw new Error('another one is first')
    })
  })
})

t.test('entries come out sorted, those of one time as they were numbered', async (t) => {
  const heap = new IndexedHeap<HeapEntry>()
  const entries = Array.from({ length: 5000 }, (_, order) => ({ dueUs: (order * 7919) % 97, order, index: -1 }))
  for (const entry of entries) heap.push(entry)
  const out: HeapEntry[] = []
  for (let first = heap.first; first !== null; first = heap.first) {
    heap.remove(first)
    out.push(first)
  }
  t.strictSame(out, entries.toSorted(inOrder))
})
