// When a bucket asks for a lease, and who waits for the answer.
import t from 'tap'
import { BucketAsks } from '../../../lib/stores/lease/bucket-asks.js'
import type { Standing } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

const limit = limitOf()

function createStanding (granted: boolean, remaining: number, retryUs: Standing['retryUs'] = 0): Standing {
  return { limit, partition: 'a', charged: 1, granted, remaining, resetUs: 0, delayUs: 0, retryUs, blockedUs: 0 }
}

const askAt = (sentAtUs: number, nowUs = sentAtUs, isAsking = true) => ({ isAsking, sentAtUs, nowUs })

t.test('a bucket asks for one lease at a time', async (t) => {
  const asks = new BucketAsks()
  t.strictSame([asks.isAskingForLease, asks.canAsk(0)], [false, true])
  asks.begin(false)
  t.equal(asks.isAskingForLease, false)
  asks.begin(true)
  t.strictSame([asks.isAskingForLease, asks.canAsk(1_000_000)], [true, false])
  asks.finish(askAt(0, 0, false), null)
  t.equal(asks.isAskingForLease, true, 'the answer to a check that did not ask')
  asks.finish(askAt(0), null)
  t.strictSame([asks.isAskingForLease, asks.canAsk(0)], [false, true])
})

t.test('a failure is followed by a pause of 5 ms, and an answer by none', async (t) => {
  const asks = new BucketAsks()
  asks.finish(askAt(1000, 2000), { unavailable: 'deadline' })
  t.strictSame([asks.canAsk(6999), asks.canAsk(7000)], [false, true])
})

t.test('those who wait go on with the answer to the check that asked, once', async (t) => {
  const asks = new BucketAsks()
  const resumed: unknown[] = []
  const failure = { unavailable: 'deadline' } as const
  asks.wait((answer) => {
    resumed.push(answer)
    asks.wait((later) => { resumed.push(later) })
  })
  asks.wait((answer) => { resumed.push(answer) })
  asks.finish(askAt(0, 0, false), failure)
  t.strictSame(resumed, [])
  asks.finish(askAt(0), failure)
  t.strictSame(resumed, [failure, failure])
  asks.finish(askAt(0), null)
  asks.finish(askAt(0), null)
  t.strictSame(resumed, [failure, failure, null])
})

t.test('a refusal is repeated for as long as it holds, at most 5 ms from when it was asked for', async (t) => {
  const until = (retryUs: Standing['retryUs']) => {
    const asks = new BucketAsks()
    asks.note(createStanding(false, 0, retryUs), false, askAt(1000, 4000))
    return [1299, 1300, 5999, 6000].map((nowUs) => asks.isEmpty(nowUs))
  }
  t.strictSame(until(300), [true, false, false, false])
  t.strictSame(until(9000), [true, true, true, false])
  t.strictSame(until('never'), [false, false, false, false])
})

t.test('a refusal that no wait helps says nothing of one that ends', async (t) => {
  const asks = new BucketAsks()
  asks.note(createStanding(false, 0, 9000), false, askAt(1000))
  asks.note(createStanding(false, 5, 'never'), false, askAt(2000))
  t.strictSame([asks.isEmpty(5999), asks.isEmpty(6000)], [true, false])
})

t.test('a grant does not end the time of a refusal', async (t) => {
  const asks = new BucketAsks()
  asks.note(createStanding(false, 0, 9000), false, askAt(1000))
  asks.note(createStanding(true, 5), true, askAt(1000))
  t.strictSame([asks.isEmpty(5999), asks.isEmpty(6000)], [true, false])
})

t.test('an empty bucket is not asked for 100 ms, and one without a lease for 5 ms', async (t) => {
  const pauseAfter = (...notes: ReadonlyArray<readonly [Standing, isLeased: boolean, isAsking: boolean]>) => {
    const asks = new BucketAsks()
    for (const [standing, isLeased, isAsking] of notes) asks.note(standing, isLeased, askAt(1000, 2000, isAsking))
    return [2000, 6999, 7000, 101_999, 102_000].map((nowUs) => asks.canAsk(nowUs))
  }
  const refused = [createStanding(false, 0, 100), false, true] as const
  const unleased = [createStanding(true, 5), false, true] as const
  t.strictSame(pauseAfter(refused), [false, false, false, false, true])
  t.strictSame(pauseAfter([createStanding(false, 0, 100), false, false]), [false, false, false, false, true])
  t.strictSame(pauseAfter(unleased), [false, false, true, true, true])
  t.strictSame(pauseAfter(refused, unleased), [false, false, false, false, true], 'the longer pause holds')
  t.strictSame(pauseAfter([createStanding(true, 5), false, false]), [true, true, true, true, true], 'no lease was asked for')
  t.strictSame(pauseAfter([createStanding(true, 5), true, true]), [true, true, true, true, true])
})

t.test('a bucket is scarce while it leaves nothing for others', async (t) => {
  const isScarce = (granted: boolean, remaining: number, isLeased: boolean) => {
    const asks = new BucketAsks()
    asks.note(createStanding(granted, remaining), isLeased, askAt(0))
    return asks.isScarce
  }
  t.equal(new BucketAsks().isScarce, false)
  t.strictSame([isScarce(false, 0, false), isScarce(false, 3, false), isScarce(true, 0, false)], [true, true, true])
  t.strictSame([isScarce(true, 1, false), isScarce(true, 0, true), isScarce(true, 1, true)], [false, false, false])
})
