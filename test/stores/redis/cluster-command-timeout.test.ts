// Which calls wait too long for a connection to a node of a Cluster: those that ioredis has queued, by its own method.
import t, { type Test } from 'tap'
import { Command, type Redis } from 'ioredis'
import { ClusterCommandTimeout } from '../../../lib/stores/redis/cluster-command-timeout.js'
import { stopTime } from '../../fixtures/fake-connection.js'

const DEADLINE_MS = 50
/** Eight checks, each after a fifth of the deadline. */
const TIMEOUT_MS = 80

const LATE = 'the node was not connected in time'

function attach (t: Test, status: string, deadlineMs = DEADLINE_MS) {
  const pass = stopTime(t)
  const sent: unknown[][] = []
  const node = {
    status,
    sendCommand: (...args: readonly unknown[]): unknown => {
      sent.push([...args])
      return 'an answer'
    }
  }
  new ClusterCommandTimeout(deadlineMs).attach(node as unknown as Redis)
  const send = (name: string, stream?: unknown) => {
    const command = new Command(name, [])
    const failures: string[] = []
    command.promise.catch((error: Error) => { failures.push(error.message) })
    return { command, failures, answer: node.sendCommand(command, stream) }
  }
  return { node, sent, send, pass }
}

/** A call that was just sent is rejected after its whole time: checks began with it. */
async function hasWholeTime (t: Test, failures: readonly string[], pass: (ms: number) => Promise<void>): Promise<void> {
  await pass(TIMEOUT_MS - 1)
  t.strictSame(failures, [])
  await pass(1)
  t.strictSame(failures, [LATE])
}

t.test('a call that waits longer than its deadline is rejected', async (t) => {
  const { send, sent, pass } = attach(t, 'connecting')
  const { command, failures, answer } = send('evalsha', 'a stream')
  t.strictSame([sent, answer], [[[command, 'a stream']], 'an answer'])
  await hasWholeTime(t, failures, pass)
})

t.test('a check comes after a fifth of the deadline, and never earlier', async (t) => {
  const { send, pass } = attach(t, 'connecting', DEADLINE_MS + 1)
  const { failures } = send('evalsha')
  await pass(8 * 11 - 1)
  t.strictSame(failures, [])
  await pass(1)
  t.strictSame(failures, [LATE])
})

for (const [name, status, deadlineMs, expected] of [
  ['eval', 'connecting', DEADLINE_MS, [LATE]],
  ['EVALSHA', 'connecting', DEADLINE_MS, [LATE]],
  ['asking', 'connect', DEADLINE_MS, [LATE]],
  ['evalsha', 'connecting', 1, [LATE]],
  ['get', 'connecting', DEADLINE_MS, []],
  ['evalsha', 'ready', DEADLINE_MS, []],
  ['evalsha', 'connecting', 0, []]
] as const) {
  t.test(`${name} to a node that is ${status}, with ${deadlineMs} ms, is ${expected.length === 0 ? 'left alone' : 'rejected'}`, async (t) => {
    const { send, pass } = attach(t, status, deadlineMs)
    const { failures } = send(name)
    await pass(10 * TIMEOUT_MS)
    t.strictSame(failures, expected)
  })
}

t.test('a call that was decided is neither sent nor rejected', async (t) => {
  const { node, sent, pass } = attach(t, 'connecting')
  const command = new Command('evalsha', [])
  command.resolve('decided')
  t.equal(node.sendCommand(command), command.promise)
  t.strictSame(sent, [])
  await pass(2 * TIMEOUT_MS)
  t.equal(await command.promise, 'decided')
})

t.test('a call that is sent from the queue has its time', async (t) => {
  const { node, send, sent, pass } = attach(t, 'connecting')
  const { command, failures } = send('evalsha')
  await pass(TIMEOUT_MS - 1)
  node.status = 'ready'
  node.sendCommand(command)
  await pass(TIMEOUT_MS)
  t.strictSame([sent.length, failures], [2, []])
})

t.test('a rejection of ASKING ends no process', async (t) => {
  const { node } = attach(t, 'ready')
  const catches: string[] = []
  for (const name of ['asking', 'evalsha']) node.sendCommand({ name, promise: { catch: () => { catches.push(name) } } })
  t.strictSame(catches, ['asking'])
})

t.test('each call has its own time, and checks end after the last one', async (t) => {
  const { send, pass } = attach(t, 'connecting')
  const first = send('evalsha')
  await pass(15)
  const second = send('evalsha')
  await pass(TIMEOUT_MS - 15)
  t.strictSame([first.failures, second.failures], [[LATE], []])
  await pass(9)
  t.strictSame(second.failures, [])
  await pass(1)
  t.strictSame(second.failures, [LATE])
  await pass(5)
  await hasWholeTime(t, send('evalsha').failures, pass)
})

t.test('a call that was answered is not checked', async (t) => {
  const { send, pass } = attach(t, 'connecting')
  send('evalsha').command.resolve('decided')
  await pass(15)
  await hasWholeTime(t, send('evalsha').failures, pass)
})
