// One lease: until when its units may be spent, and which of them were reported.
import t from 'tap'
import { Lease } from '../../../lib/stores/lease/lease.js'

const create = () => new Lease().begin({ units: 10, lifeUs: 500_000, slotEndUs: 77, apart: 10 }, 2000, 5000)

t.test('a lease ends a millisecond before it ends in the store, counted from when it was asked for', async (t) => {
  const lease = create()
  t.match(lease, { size: 10, left: 10, slotEndUs: 77, endUs: 501_000 })
  t.strictSame([lease.leftAt(0), lease.leftAt(501_000), lease.leftAt(501_001)], [10, 10, 0])
})

t.test('units that were spent are unreported until they are reported', async (t) => {
  const lease = create()
  t.equal(lease.unreported, 0)
  lease.left = 3
  t.equal(lease.unreported, 7)
  lease.reserved = 2
  t.equal(lease.unreported, 5)
  lease.reported = 4
  t.strictSame([lease.unreported, lease.isSettled], [1, false])
  Object.assign(lease, { left: 0, reserved: 0, reported: 10 })
  t.strictSame([lease.unreported, lease.isSettled], [0, true])
})

t.test('an answer counts a lease if it was decided after it, or with it and asked for later', async (t) => {
  const lease = create()
  Object.assign(lease, { left: 3, reserved: 2 })
  t.strictSame([lease.unspentIn(4999, 9000), lease.unspentIn(5001, 0)], [0, 5])
  t.strictSame([lease.unspentIn(5000, 1999), lease.unspentIn(5000, 2000), lease.unspentIn(5000, 2001)], [0, 5, 5])
})

t.test('units that were spent and not reported come back, while the lease lives', async (t) => {
  const lease = create()
  lease.left = 3
  lease.reported = 4
  t.strictSame([lease.refund(1, 501_001), lease.left], [0, 3])
  t.strictSame([lease.refund(1, 501_000), lease.left], [1, 4])
  t.strictSame([lease.refund(9, 0), lease.left], [2, 6])
  t.strictSame([lease.refund(1, 0), lease.left], [0, 6])
})
