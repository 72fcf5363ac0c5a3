import t from 'tap'
import { runExample } from '../fixtures/example.js'
import { startRedis } from '../fixtures/redis-server.js'
import { callServer } from '../fixtures/sentinel.js'

t.test('the fleet proves that its processes share one limit, on a Redis of its own, and ends', async (t) => {
  const { text, exit } = await runExample(t, 'fleet', { REDIS_URL: '' })
  t.strictSame(exit, [0, null])
  const [, granted, refused, others] = (/^total +(\d+) +(\d+) +(\d+)$/m.exec(text) ?? []).map(Number)
  const most = Number(/ = (\d+) at most/.exec(text)?.[1])
  t.ok(granted > 100 && granted <= most, `${granted} granted, at most ${most}`)
  t.ok(refused > 0 || granted < most, 'a slow machine may send no more than the limit lets pass')
  t.equal(others, 0)
  const rows = [...text.matchAll(/^:\d+ +(\d+)/gm)].map(([, count]) => Number(count))
  t.equal(rows.length, 4)
  t.equal(rows.reduce((sum, count) => sum + count), granted)
})

t.test('the fleet takes a Redis that it is given, and leaves nothing there for good', async (t) => {
  const { url, port } = await startRedis(t)
  t.strictSame((await runExample(t, 'fleet', { REDIS_URL: url })).exit, [0, null])
  const stats = String(await callServer(port, ['INFO', 'commandstats']))
  t.match(stats, /cmdstat_evalsha/, 'it was asked')
  for (const key of await callServer(port, ['KEYS', '*']) as string[]) {
    t.ok(await callServer(port, ['PTTL', key]) as number > 0, `${key} goes by itself`)
  }
})
