// A database that Redis refuses: a client of the application may have failed before it was watched.
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Command, Redis } from 'ioredis'
import { watchDatabase } from '../../../lib/stores/redis/watch-database.js'

const REFUSAL = Object.assign(new Error('ERR DB index is out of range'), { name: 'ReplyError', command: { name: 'select' } })

function createClient (status: string, select?: number, refuses = true) {
  const commands: string[] = []
  const client = Object.assign(new EventEmitter(), {
    status,
    options: {},
    condition: select === undefined ? null : { select },
    async sendCommand ({ name, args }: Command) {
      commands.push(`${name} ${args.join(' ')}`)
      if (refuses) throw REFUSAL
    }
  })
  return { client: client as unknown as Redis & EventEmitter, commands }
}

t.test('a refusal is passed on until the end, and no other error', async (t) => {
  const { client, commands } = createClient('connecting', 3)
  const failures: Error[] = []
  const stop = watchDatabase(client, (error) => { failures.push(error) })
  client.emit('error', new Error('NOAUTH'))
  t.strictSame(failures, [])
  client.emit('error', REFUSAL)
  t.strictSame([failures, commands], [[REFUSAL], []])
  stop()
  t.equal(client.listenerCount('error'), 0)
})

for (const [why, status, select, refuses, expected] of [
  ['a client that is ready selects its database again', 'ready', 3, true, [['select 3'], 1]],
  ['and is not in a wrong one if Redis agrees', 'ready', 3, false, [['select 3'], 0]],
  ['nothing is selected without a database', 'ready', 0, true, [[], 0]],
  ['nor without a condition', 'ready', undefined, true, [[], 0]],
  ['nor before the client is ready: it will select by itself', 'connect', 3, true, [[], 0]]
] as const) {
  t.test(why, async (t) => {
    const { client, commands } = createClient(status, select, refuses)
    let failures = 0
    watchDatabase(client, () => { failures++ })
    for (let i = 0; i < 5; i++) await Promise.resolve()
    t.strictSame([commands, failures], expected)
  })
}
