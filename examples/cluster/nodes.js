import { addressesIn, askRedis } from '../shared/ask-redis.js'
import { freePort, startRedis } from '../shared/redis-server.js'
import { temporaryFolder } from '../shared/temporary-folder.js'
import { until } from '../shared/until.js'

/** @import { Address } from '../shared/ask-redis.js' */

const SLOTS = 16_384
const PRIMARIES = 3
/** A node talks with the others on a port so far above its own. */
const BUS_DISTANCE = 10_000

/**
 * A Redis Cluster.
 *
 * @typedef {object} Nodes
 * @property {{ cluster: Address[] }} redis What the plugin is given.
 * @property {string} loss How a primary is lost, in words.
 * @property {() => Promise<void>} losePrimary The owner of slot 0.
 * @property {() => Promise<void>} stop
 */

/** The cluster of REDIS_CLUSTER, or one of our own. @returns {Promise<Nodes>} */
export async function findNodes () {
  if (!process.env.REDIS_CLUSTER) return await startNodes()
  const cluster = addressesIn(process.env.REDIS_CLUSTER)
  return {
    redis: { cluster },
    // Nobody kills what is not his.
    loss: 'hands over to its replica',
    losePrimary: async () => {
      const { heir } = await ownerOfFirstSlot(cluster)
      await askRedis(heir ?? raise('slot 0 has no replica'), 'CLUSTER', 'FAILOVER')
    },
    stop: async () => {}
  }
}

/**
 * Who owns slot 0 and those after it, and who would inherit them.
 *
 * @param {readonly Address[]} cluster
 * @returns {Promise<{ owner: string, heir: Address | null, lastSlot: number }>}
 */
export async function ownerOfFirstSlot (cluster) {
  // From whichever node answers first.
  const ranges = await Promise.any(cluster.map(async (address) => {
    return /** @type {Array<[first: number, last: number, owner: [string, number], replica?: [string, number]]>} */ (await askRedis(address, 'CLUSTER', 'SLOTS'))
  }))
  const [, lastSlot, owner, replica] = ranges.find(([first]) => first === 0) ?? raise('slot 0 is served by nobody')
  return { owner: `${owner[0]}:${owner[1]}`, heir: replica === undefined ? null : { host: replica[0], port: replica[1] }, lastSlot }
}

/**
 * Which of these clients have their limits in slots up to that one.
 *
 * @param {readonly Address[]} cluster
 * @param {readonly string[]} clients
 * @param {number} lastSlot
 */
export async function clientsUpTo (cluster, clients, lastSlot) {
  // The partition is the hash tag of its keys.
  const slots = await Promise.all(clients.map((client) => askRedis(cluster[0], 'CLUSTER', 'KEYSLOT', `key:${client}`)))
  return clients.filter((_, index) => Number(slots[index]) <= lastSlot)
}

/** @param {string} message @returns {never} */
function raise (message) {
  throw new Error(message)
}

/** Three primaries with a replica each, on free ports. @returns {Promise<Nodes>} */
async function startNodes () {
  const folder = temporaryFolder()
  const nodes = await Promise.all(Array.from({ length: 2 * PRIMARIES }, async () => {
    const { port, stop } = await startNode(folder)
    const address = { host: '127.0.0.1', port }
    return { address, stop, id: String(await askRedis(address, 'CLUSTER', 'MYID')) }
  }))
  const primaries = nodes.slice(0, PRIMARIES)
  const replicas = nodes.slice(PRIMARIES)
  await Promise.all(nodes.map(({ address }, index) => askRedis(address, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1)))
  await Promise.all(primaries.map(({ address }, index) => askRedis(address, 'CLUSTER', 'ADDSLOTS', ...slotsOf(index))))
  for (const { address } of nodes.slice(1)) await askRedis(address, 'CLUSTER', 'MEET', '127.0.0.1', nodes[0].address.port)
  await Promise.all(replicas.map(({ address }, index) => until('a replica', 20_000, async () => {
    return await askRedis(address, 'CLUSTER', 'REPLICATE', primaries[index].id) === 'OK'
  })))
  await Promise.all(nodes.map(({ address }) => until('a cluster that is well', 20_000, async () => {
    const [info, known] = [String(await askRedis(address, 'CLUSTER', 'INFO')), String(await askRedis(address, 'CLUSTER', 'NODES'))]
    return info.includes('cluster_state:ok') && known.match(/slave .* connected/g)?.length === PRIMARIES
  })))
  await Promise.all(replicas.map(({ address }) => until('a replica in step', 20_000, async () => {
    return String(await askRedis(address, 'INFO', 'replication')).includes('master_link_status:up')
  })))
  return {
    redis: { cluster: nodes.map(({ address }) => address) },
    loss: 'is killed',
    losePrimary: primaries[0].stop,
    stop: async () => { await Promise.all(nodes.map((node) => node.stop())) }
  }
}

/** Slots of the primary of that number. @param {number} index */
function slotsOf (index) {
  return Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => Math.floor(slot * PRIMARIES / SLOTS) === index)
}

/** @param {string} folder Where nodes write what they learn. */
async function startNode (folder) {
  // Again where the port of the bus is another's.
  return await until('a node', 20_000, async () => {
    const port = await freePort()
    if (port + BUS_DISTANCE > 65_535) return null
    return await startRedis([
      '--cluster-enabled', 'yes', '--dir', folder, '--cluster-config-file', `${port}.conf`,
      '--cluster-node-timeout', '1000', '--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'
    ], port)
  })
}
