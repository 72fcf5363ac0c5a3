import t from 'tap'
import { StoreActivity } from '../../lib/observability/store-activity.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const MINUTE_US = 60_000_000

t.test('latency is known to a fifth of its length, and never too short', async (t) => {
  for (const us of [1, 2, 3, 99, 400, 1500, 50_000, 4_999_999]) {
    const activity = new StoreActivity(new ManualClock())
    activity.observe(us)
    const { p50, p99 } = activity.latencyMs ?? { p50: 0, p99: 0 }
    t.equal(p50, p99)
    t.ok(p50 * 1000 >= us && p50 * 1000 <= us * 1.2 + 1, `${us} us is shown as ${p50} ms`)
  }
})

t.test('the slowest hundredth does not hide the middle, nor the middle the slowest', async (t) => {
  const activity = new StoreActivity(new ManualClock())
  for (let call = 0; call < 980; call++) activity.observe(400)
  for (let call = 0; call < 20; call++) activity.observe(20_000)
  const { p50, p99 } = activity.latencyMs ?? { p50: 0, p99: 0 }
  t.ok(p50 >= 0.4 && p50 < 0.5 && p99 >= 20 && p99 < 24, `${p50} and ${p99}`)
})

t.test('times that no call can take are counted at the ends', async (t) => {
  const activity = new StoreActivity(new ManualClock())
  for (const us of [0, -5, Number.MAX_SAFE_INTEGER]) activity.observe(us)
  t.ok((activity.latencyMs?.p99 ?? 0) >= 10_000)
})

t.test('calls are forgotten after 5 to 10 minutes', async (t) => {
  const clock = new ManualClock()
  const activity = new StoreActivity(clock)
  t.equal(activity.latencyMs, null)
  activity.observe(400)
  clock.advance(6 * MINUTE_US)
  t.not(activity.latencyMs, null)
  activity.observe(20_000)
  t.ok((activity.latencyMs?.p99 ?? 0) >= 20)
  clock.advance(5 * MINUTE_US)
  t.ok((activity.latencyMs?.p50 ?? 0) >= 20, 'the first one is gone')
  clock.advance(10 * MINUTE_US)
  t.equal(activity.latencyMs, null)
})
