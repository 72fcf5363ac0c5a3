import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startProgram } from '../children.js'

const SLOTS = 16384

/** A redis-server of the bench's own that keeps nothing on disk; as a Cluster, one node with every slot. */
export async function startRedisServer ({ isCluster = false } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const port = await freePort()
  const program = startProgram('redis-server', [
    '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory,
    ...isCluster ? ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] : []
  ])
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  client.on('error', () => {})
  await client.ping()
  if (isCluster) await ownEverySlot(client)

  return {
    client,
    target: isCluster ? { cluster: [{ host: '127.0.0.1', port }] } : `redis://127.0.0.1:${port}`,
    version: /redis_version:(\S+)/.exec(await client.info('server'))[1],
    /** Calls of scripts and the time in them since the start, and the processor time of the whole server; microseconds. */
    async usage () {
      const [stats, cpu] = await Promise.all([client.info('commandstats'), client.info('cpu')])
      const scripts = [...stats.matchAll(/cmdstat_(?:evalsha|eval|fcall):calls=(\d+),usec=(\d+)/g)]
      const seconds = [...cpu.matchAll(/used_cpu_(?:sys|user):([\d.]+)/g)]
      return {
        calls: scripts.reduce((sum, [, calls]) => sum + Number(calls), 0),
        scriptUs: scripts.reduce((sum, [, , us]) => sum + Number(us), 0),
        cpuUs: seconds.reduce((sum, [, value]) => sum + Number(value) * 1e6, 0)
      }
    },
    end () {
      client.disconnect()
      program.end()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

async function ownEverySlot (client) {
  await client.cluster('ADDSLOTS', ...Array(SLOTS).keys())
  while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await delay(50)
}

/** Nodes of a Cluster talk to each other 10,000 ports higher. */
const HIGHEST_PORT = 55535

async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port <= HIGHEST_PORT ? port : await freePort()
}
