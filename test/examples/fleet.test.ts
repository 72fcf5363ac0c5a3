import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { runExample } from '../fixtures/example.js'
import { startRedis } from '../fixtures/redis-server.js'
import { callServer } from '../fixtures/sentinel.js'

t.test('the fleet proves that its processes share one limit, and with --stay the page of one shows all of them', async (t) => {
  const example = spawn(process.execPath, ['examples/fleet/index.js', '--stay'], {
    env: { ...process.env, REDIS_URL: '', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => example.kill('SIGKILL'))
  const exit = once(example, 'exit')
  let text = ''
  for await (const chunk of example.stdout.setEncoding('utf8')) {
    text += chunk
    if (text.includes('Ctrl-C ends it.')) break
  }
  const [, granted, refused, others] = (/^total +(\d+) +(\d+) +(\d+)$/m.exec(text) ?? []).map(Number)
  const most = Number(/ = (\d+) at most/.exec(text)?.[1])
  t.ok(granted > 100 && granted <= most, `${granted} granted, at most ${most}`)
  t.ok(refused > 0 || granted < most, 'a slow machine may send no more than the limit lets pass')
  t.equal(others, 0)
  const rows = [...text.matchAll(/^:\d+ +(\d+)/gm)].map(([, count]) => Number(count))
  t.equal(rows.length, 4)
  t.equal(rows.reduce((sum, count) => sum + count), granted)

  const { instances } = await (await fetch(`${/http:\S+\/page/.exec(text)?.[0]}/data`)).json() as { instances: unknown[] }
  t.equal(instances.length, 4)
  example.kill('SIGTERM')
  t.strictSame(await exit, [0, null])
})

t.test('the fleet takes a Redis that it is given, leaves nothing there for good, and ends', async (t) => {
  const { url, port } = await startRedis(t)
  t.strictSame((await runExample(t, 'fleet', { REDIS_URL: url })).exit, [0, null])
  const stats = String(await callServer(port, ['INFO', 'commandstats']))
  t.match(stats, /cmdstat_evalsha/, 'it was asked')
  for (const key of await callServer(port, ['KEYS', '*']) as string[]) {
    t.ok(await callServer(port, ['PTTL', key]) as number > 0, `${key} goes by itself`)
  }
})
