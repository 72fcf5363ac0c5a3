// Summaries of instances, as they are written to Redis and read from there. The connection is scripted.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { loadPlainScript, type Script } from '../../../lib/stores/redis/scripts.js'
import { MAX_SUMMARY_BYTES, SummaryBoard } from '../../../lib/stores/redis/summary-board.js'

const GENEROUS_MS = 5000
const PREFIX = 'sluice:{page:app}'

// The timers of the board keep no process alive.
const alive = setInterval(() => {}, GENEROUS_MS)
t.teardown(() => { clearInterval(alive) })

type Reply = unknown

/** A board whose calls are answered by `answer`. */
function open (answer: (keys: readonly string[]) => Reply | Promise<Reply>, deadlineMs = GENEROUS_MS) {
  const calls: Array<{ readonly script: Script, readonly keys: readonly string[], readonly args: readonly string[] }> = []
  const pool = {
    evalScript: async (script: Script, keys: readonly string[], args: readonly Buffer[]) => {
      calls.push({ script, keys, args: args.map(String) })
      return await answer(keys)
    },
    explainError: (error: Error) => `because of ${error.message}`,
    explainDeadline: () => 'late'
  } as unknown as ConnectionPool
  return { board: new SummaryBoard({ pool, keyPrefix: 'sluice:', registration: 'app', deadlineMs }), calls }
}

t.test('a summary is published with its index and the switch', async (t) => {
  const { board, calls } = open(() => '')
  t.equal(await board.publish('one', 'its text'), null)
  await board.remove('one')
  const keys = [`${PREFIX}:instances`, `${PREFIX}:instance:one`, `${PREFIX}:switch`]
  t.match(calls, [{ keys, args: ['one', 'its text', '60000', '64'] }, { keys, args: ['one', '', '60000', '64'] }])
  t.equal(calls[0].script.sha, loadPlainScript('publish-summary').sha)
})

t.test('a registration of any name has keys in one slot', async (t) => {
  const calls: string[][] = []
  const pool = { evalScript: async (_: unknown, keys: string[]) => { calls.push(keys); return '' } } as unknown as ConnectionPool
  await new SummaryBoard({ pool, keyPrefix: 'a:', registration: 'app}{', deadlineMs: GENEROUS_MS }).publish('1', '')
  t.ok(calls[0].every((key) => /^a:\{page:%[\w-]{43}\}:/.test(key)))
})

for (const [reply, expected] of [
  ['1790000000000001 1', { setAtUs: 1_790_000_000_000_001, enabled: true }],
  ['1790000000000001 0', { setAtUs: 1_790_000_000_000_001, enabled: false }],
  [Buffer.from('5 0'), { setAtUs: 5, enabled: false }],
  ['', null], ['5 2', null], ['x 1', null], ['5', null], ['12345678901234567 1', null], ['5 1 ', null], [' 5 1', null], ['5  1', null], ['5 11', null]
] as const) {
  t.test(`the switch is read from "${String(reply)}"`, async (t) => { t.strictSame(await open(() => reply).board.publish('one', ''), expected) })
}

t.test('the switch is written for a day', async (t) => {
  const { board, calls } = open(() => '7 1')
  t.strictSame(await board.writeSwitch(true), { setAtUs: 7, enabled: true })
  await board.writeSwitch(false)
  t.match(calls, [{ keys: [`${PREFIX}:switch`], args: ['1', '86400000'] }, { args: ['0', '86400000'] }])
  t.equal(calls[0].script.sha, loadPlainScript('write-switch').sha)
})

t.test('a switch that was not written is an error', async (t) => {
  const { board } = open(() => '')
  await t.rejects(board.writeSwitch(true), { code: 'FST_SLUICE_STORE', message: /error \(BAD_REPLY\)/ })
  t.equal(board.lastError, 'BAD_REPLY')
})

t.test('instances are listed from the index, the latest 64', async (t) => {
  const list = async (index: Reply) => await open(() => ['99', index]).board.list()
  t.strictSame(await list('5 one\n17 two and more\n'), { nowMs: 99, instances: [{ id: 'one', seenAtMs: 5 }, { id: 'two and more', seenAtMs: 17 }] })
  t.strictSame(await list(Buffer.from('5 one\n')), { nowMs: 99, instances: [{ id: 'one', seenAtMs: 5 }] })
  for (const damaged of ['', '?', 'no number\n', '5\n', '5 \n', ' 5 one', '1234567890123456 one', 'x5 one', '5 one\r']) t.strictSame((await list(damaged)).instances, [], damaged)
  const { instances } = await list(Array.from({ length: 70 }, (_, i) => `${i} id${i}\n`).join(''))
  t.strictSame([instances.length, instances[0].id, instances[63].id], [64, 'id6', 'id69'])
  const { board, calls } = open(() => ['1', ''])
  await board.list()
  t.match(calls, [{ keys: [`${PREFIX}:instances`], args: [String(MAX_SUMMARY_BYTES)] }])
  t.equal(calls[0].script.sha, loadPlainScript('read-summaries').sha)
})

t.test('summaries are read in the order of their ids, eight in a call', async (t) => {
  const { board, calls } = open((keys) => ['1', ...keys.map((key) => key.endsWith(':3') ? '' : key.endsWith(':4') ? '?' : Buffer.from(`text of ${key.slice(-1)}`))])
  const summaries = await board.read(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
  t.strictSame(summaries, [{ text: 'text of 1' }, { text: 'text of 2' }, null, 'damaged', ...['5', '6', '7', '8', '9'].map((id) => ({ text: `text of ${id}` }))])
  t.strictSame(calls.map(({ keys }) => keys.length), [8, 1])
  t.strictSame(await board.read([]), [])
  t.equal(calls.length, 2)
})

t.test('a reply of another format is an error', async (t) => {
  for (const reply of ['1', null, ['1'], ['1', 'a', 'b']]) {
    await t.rejects(open(() => reply).board.read(['1']), { code: 'FST_SLUICE_STORE', message: /error \(BAD_REPLY\)/ })
  }
})

t.test('a call that fails tells why, until one succeeds', async (t) => {
  let error: Error | null = Object.assign(new Error('OOM'), { name: 'ReplyError' })
  const { board } = open(() => {
    if (error !== null) throw error
    return ''
  })
  t.equal(board.lastError, null)
  await t.rejects(board.publish('one', ''), { code: 'FST_SLUICE_STORE', message: /error \(because of OOM\)/, cause: error })
  t.equal(board.lastError, 'because of OOM')
  error = new Error('gone')
  await t.rejects(board.publish('one', ''), { message: /connection \(because of gone\)/ })
  error = null
  await board.publish('one', '')
  t.equal(board.lastError, null)
})

t.test('a call without a reply fails at the deadline', async (t) => {
  const { board } = open(() => new Promise(() => {}), 5)
  await t.rejects(board.list(), { code: 'FST_SLUICE_STORE', message: /deadline \(late\)/ })
  t.equal(board.lastError, 'late')
})

t.test('a reply that arrived while the event loop was blocked counts', async (t) => {
  const { board } = open(() => new Promise((resolve) => { randomBytes(8, () => { resolve('') }) }), 5)
  const published = board.publish('one', '')
  const endMs = performance.now() + 50
  while (performance.now() < endMs);
  t.equal(await published, null)
})

t.test('a deadline that is over changes nothing after a reply', async (t) => {
  const { board } = open(() => '', 5)
  await board.publish('one', '')
  await new Promise((resolve) => { setTimeout(resolve, 30) })
  t.equal(board.lastError, null)
})
