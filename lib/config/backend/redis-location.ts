import type { ConnectTarget } from '../../stores/redis/connect.js'
import { isClient } from './redis-target.js'

/** An address of ioredis, in an object. */
interface Address {
  readonly host?: string | undefined
  readonly port?: number | string | undefined
}

interface Options extends Address {
  readonly db?: number | string | undefined
  readonly path?: string | undefined
  readonly sentinels?: readonly Address[] | null | undefined
  readonly name?: string | undefined
}

const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379

/** Where a target without credentials is, such as `10.0.0.1:6379/2`. For logs: it contains no user and no password. */
export function formatRedisLocation (target: ConnectTarget): string {
  if (typeof target === 'string') return formatUrl(target, {})
  if (isClient(target)) {
    // Private in ioredis. Its public list of nodes is empty until it has connected.
    return 'nodes' in target ? formatCluster(Reflect.get(target, 'startupNodes') ?? []) : formatOptions(target.options)
  }
  if ('url' in target) return formatUrl(target.url, target.query)
  return 'cluster' in target ? formatCluster(target.cluster) : formatOptions(target)
}

/** As in ioredis, the URL replaces the options of its query. */
function formatUrl (text: string, query: Options): string {
  const { hostname, port, pathname } = new URL(text)
  const db = pathname.slice(1)
  return formatOptions({ ...query, ...hostname && { host: hostname }, ...port && { port }, ...db && { db } })
}

function formatOptions ({ host, port, db, path, sentinels, name }: Options): string {
  const place = sentinels
    ? `${name} (sentinels ${sentinels.map((sentinel) => formatAddress(sentinel, SENTINEL_PORT)).join(', ')})`
    : path ?? formatAddress({ host, port }, REDIS_PORT)
  return db === undefined || Number(db) === 0 ? place : `${place}/${db}`
}

function formatCluster (nodes: ReadonlyArray<Address | string | number>): string {
  return `cluster ${nodes.map((node) => typeof node === 'object' ? formatAddress(node, REDIS_PORT) : formatNode(String(node))).join(', ')}`
}

/** A node as text may be a URL with a password. */
function formatNode (text: string): string {
  if (/^\d+$/.test(text)) return `localhost:${text}`
  return text.replace(/^\w+:\/\//, '').replace(/^.*@/s, '').replace(/[/?#].*$/s, '')
}

function formatAddress ({ host = 'localhost', port }: Address, defaultPort: number): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return `${name}:${port ?? defaultPort}`
}
