import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addressesIn, askRedis } from '../shared/ask-redis.js'
import { freePort, startRedis } from '../shared/redis-server.js'
import { temporaryFolder } from '../shared/temporary-folder.js'
import { until } from '../shared/until.js'

/** @import { Address } from '../shared/ask-redis.js' */

/**
 * Servers that sentinels watch.
 *
 * @typedef {object} Group
 * @property {{ name: string, sentinels: Address[] }} redis What the plugin is given.
 * @property {string} loss How the primary is lost, in words.
 * @property {() => Promise<void>} losePrimary
 * @property {() => Promise<void>} stop
 */

/** The group of REDIS_SENTINELS, or one of our own. @returns {Promise<Group>} */
export async function findGroup () {
  const { REDIS_SENTINELS, REDIS_PRIMARY_NAME = 'mymaster' } = process.env
  if (!REDIS_SENTINELS) return await startGroup('mymaster')
  const sentinels = addressesIn(REDIS_SENTINELS)
  return {
    redis: { name: REDIS_PRIMARY_NAME, sentinels },
    // Nobody kills what is not his.
    loss: 'is told to hand over to a replica',
    losePrimary: async () => { await askRedis(sentinels[0], 'SENTINEL', 'FAILOVER', REDIS_PRIMARY_NAME) },
    stop: async () => {}
  }
}

/** Whom a sentinel calls the primary. @param {Group['redis']} redis */
export async function primaryOf ({ name, sentinels }) {
  const address = /** @type {[string, string]} */ (await askRedis(sentinels[0], 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name))
  return address.join(':')
}

/**
 * A primary, two replicas and three sentinels, on free ports.
 *
 * @param {string} name
 * @returns {Promise<Group>}
 */
async function startGroup (name) {
  const folder = temporaryFolder()
  // A replica writes what it is sent first into a file, which else would be left in the folder that the demo was started in.
  const primary = await startRedis(['--repl-diskless-sync-delay', '0', '--dir', folder, '--dbfilename', 'primary.rdb'])
  const replicas = await Promise.all([1, 2].map((number) => {
    return startRedis(['--replicaof', `127.0.0.1 ${primary.port}`, '--dir', folder, '--dbfilename', `replica-${number}.rdb`])
  }))
  await until('two replicas in step', 15_000, async () => {
    const state = String(await askRedis({ host: '127.0.0.1', port: primary.port }, 'INFO', 'replication'))
    return state.match(/state=online/g)?.length === 2
  })
  // Sentinels write what they learn into their files.
  const sentinels = await Promise.all([1, 2, 3].map(async (number) => {
    const file = join(folder, `sentinel-${number}.conf`)
    await writeFile(file, [
      `dir ${folder}`,
      `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${name} 700`,
      `sentinel failover-timeout ${name} 3000`
    ].join('\n'))
    return await startRedis([file, '--sentinel'], await freePort())
  }))
  const addresses = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  await Promise.all(addresses.map((address) => until('sentinels that know each other', 20_000, async () => {
    const known = /** @type {string[]} */ (await askRedis(address, 'SENTINEL', 'MASTER', name))
    const field = (/** @type {string} */ word) => known[known.indexOf(word) + 1]
    return field('num-slaves') === '2' && field('num-other-sentinels') === '2' && field('flags') === 'master'
  })))
  return {
    redis: { name, sentinels: addresses },
    loss: 'is killed',
    losePrimary: primary.stop,
    stop: async () => { await Promise.all([...replicas, ...sentinels].map((server) => server.stop())) }
  }
}
