// The scripts for the summaries of instances, and for the switch that they share, by the clock of Redis.
import t from 'tap'
import { loadPlainScript } from '../../../lib/stores/redis/scripts.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)
const [INDEX, SUMMARY, SWITCH] = ['{page:app}:instances', '{page:app}:instance:web-1', '{page:app}:switch']
const TTL_MS = 60_000
const scripts = { publish: loadPlainScript('publish-summary'), read: loadPlainScript('read-summaries'), set: loadPlainScript('write-switch') }

t.beforeEach(async () => { await redis.del(INDEX, SUMMARY, SWITCH) })

async function publish (id: string, summary = 'a summary', maxInstances = 64): Promise<unknown> {
  return await redis.eval(scripts.publish.lua, 3, INDEX, SUMMARY, SWITCH, id, summary, TTL_MS, maxInstances)
}

async function readSummaries (keys: readonly string[], maxLength = 10): Promise<string[]> {
  return await redis.eval(scripts.read.lua, keys.length, ...keys, maxLength) as string[]
}

async function writeSwitch (enabled: '0' | '1'): Promise<[setAtUs: number, enabled: string]> {
  const [setAtUs, isOn] = String(await redis.eval(scripts.set.lua, 1, SWITCH, enabled, TTL_MS)).split(' ')
  return [Number(setAtUs), isOn]
}

/** The lines of the index: time and id. */
async function readIndex (): Promise<Array<readonly [number, string]>> {
  const text = await redis.get(INDEX) ?? ''
  if (text !== '' && !text.endsWith('\n')) throw new Error('a line without its end')
  return text.split('\n').slice(0, -1).map((line) => line.split(' ')).map(([seenMs, id]) => [Number(seenMs), id] as const)
}

async function redisTimeUs (): Promise<number> {
  const [seconds, us] = await redis.time()
  return Number(seconds) * 1_000_000 + Number(us)
}

const isKept = async (key: string) => {
  const ttlMs = await redis.pttl(key)
  return ttlMs > TTL_MS - 5000 && ttlMs <= TTL_MS
}

t.test('the index has the latest summary last, and each instance once', async (t) => {
  for (const id of ['web-1', 'web-2', 'web-1']) t.equal(await publish(id, `of ${id}`), '', 'no switch')
  t.strictSame((await readIndex()).map(([, id]) => id), ['web-2', 'web-1'])
  t.equal(await redis.get(SUMMARY), 'of web-1')
  for (const key of [INDEX, SUMMARY]) t.ok(await isKept(key), key)
})

t.test('an instance that ends takes its summary with it, and the last one the index', async (t) => {
  await publish('web-1')
  await publish('web-2')
  await publish('web-2', '')
  t.equal(await redis.exists(SUMMARY), 0)
  t.strictSame((await readIndex()).map(([, id]) => id), ['web-1'])
  t.ok(await isKept(INDEX))
  await publish('web-1', '')
  t.equal(await redis.exists(INDEX), 0)
})

t.test('times are those of Redis, to the millisecond and to the microsecond', async (t) => {
  const isBetween = (one: number, fromUs: number, toUs: number, unitUs: number) => one >= Math.floor(fromUs / unitUs) && one <= Math.floor(toUs / unitUs)
  for (let i = 0; i < 200; i++) {
    const fromUs = await redisTimeUs()
    await publish('web-1')
    const publishedUs = await redisTimeUs()
    const [[seenMs]] = await readIndex()
    const [nowMs] = await readSummaries([])
    const readUs = await redisTimeUs()
    const [setAtUs] = await writeSwitch('1')
    const setUs = await redisTimeUs()
    const isRight = [isBetween(seenMs, fromUs, publishedUs, 1000), isBetween(Number(nowMs), publishedUs, readUs, 1000), isBetween(setAtUs, readUs, setUs, 1)]
    if (isRight.includes(false)) t.strictSame([seenMs, nowMs, setAtUs], [fromUs, publishedUs, readUs])
    await redis.del(SWITCH)
  }
})

t.test('an instance leaves the index after its time, and one whose time has not come yet is never kept', async (t) => {
  const startMs = Math.floor(await redisTimeUs() / 1000)
  const around = (middleMs: number) => Array.from({ length: 200 }, (_, i) => middleMs - 100 + i)
  const seenMs = [...around(startMs - TTL_MS), startMs, ...around(startMs + TTL_MS)]
  await redis.set(INDEX, seenMs.map((ms) => `${ms} at-${ms}\n`).join(''))
  await publish('web-1', 'a summary', 1000)
  const lines = await readIndex()
  const [nowMs] = lines[lines.length - 1]
  const expected = seenMs.filter((ms) => Math.abs(nowMs - ms) < TTL_MS)
  t.ok(expected.length > 100 && expected.length < 300, 'some of both kinds')
  t.strictSame(lines.slice(0, -1), expected.map((ms) => [ms, `at-${ms}`]))
})

t.test('the index has so many instances: those with the latest summaries', async (t) => {
  for (const id of ['a', 'b', 'c', 'd', 'e']) await publish(id, 'a summary', 3)
  t.strictSame((await readIndex()).map(([, id]) => id), ['c', 'd', 'e'])
  await publish('d', 'a summary', 4)
  t.strictSame((await readIndex()).map(([, id]) => id), ['c', 'e', 'd'])
})

t.test('keys of another type count as absent', async (t) => {
  await redis.lpush(INDEX, 'a list')
  await redis.lpush(SWITCH, 'a list')
  t.equal(await publish('web-1'), '')
  t.strictSame((await readIndex()).map(([, id]) => id), ['web-1'])
  const fromUs = await redisTimeUs()
  t.ok((await writeSwitch('0'))[0] >= fromUs)
})

t.test('a summary is read up to its maximum length', async (t) => {
  await redis.set(SUMMARY, 'x'.repeat(10))
  await redis.set(SWITCH, 'x'.repeat(11))
  await redis.lpush(INDEX, 'a list')
  const [, ...values] = await readSummaries([SUMMARY, SWITCH, INDEX, '{page:app}:instance:gone'])
  t.strictSame(values, ['x'.repeat(10), '?', '?', ''])
  t.strictSame((await readSummaries([SUMMARY], 9)).slice(1), ['?'])
})

t.test('the switch is what was set last, whatever the clock says', async (t) => {
  const aheadUs = await redisTimeUs() + 3_600_000_000
  await redis.set(SWITCH, `${aheadUs} 1`)
  t.strictSame(await writeSwitch('0'), [aheadUs + 1, '0'])
  t.ok(await isKept(SWITCH))
  t.equal(await publish('web-1'), `${aheadUs + 1} 0`)
  for (const text of ['', 'damaged', `${aheadUs} 2`, `${aheadUs} 1 1`, `x${aheadUs} 1`, `${aheadUs}`]) {
    await redis.set(SWITCH, text)
    const [setAtUs, enabled] = await writeSwitch('1')
    t.ok(setAtUs < aheadUs, JSON.stringify(text))
    t.equal(enabled, '1')
  }
})
