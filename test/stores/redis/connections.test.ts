// ioredis listens for one error of a socket, and TLS may tell of two.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Redis } from 'ioredis'
import { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { shareRedis } from '../../fixtures/redis-server.js'

const SILENCE_MS = 10_000

async function connected (url: string): Promise<{ client: Redis, link: ConnectionPool }> {
  const client = new Redis(url, { retryStrategy: () => null })
  const link = new ConnectionPool([client], true, { onReady () {} }, SILENCE_MS)
  await once(client, 'ready')
  return { client, link }
}

t.test('a second error of a socket ends no process', async (t) => {
  const { url } = await shareRedis()
  const { client: { stream }, link } = await connected(url)
  stream.emit('error', new Error('first'))
  t.doesNotThrow(() => stream.emit('error', new Error('second')))
  await link.close()

  const leaving = await connected(url)
  const socket = leaving.client.stream
  await leaving.link.close()
  t.doesNotThrow(() => {
    socket.emit('error', new Error('first'))
    socket.emit('error', new Error('second'))
  }, 'also once the connection was given up')
  await turn()
})
