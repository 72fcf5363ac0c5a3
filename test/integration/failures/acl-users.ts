import type { Test } from 'tap'
import { Redis } from 'ioredis'
import type { RedisServer } from '../../fixtures/redis-server.js'
import { newClient, type Service } from './outage.js'

/** A client with all rights. */
export function openOperator (t: Test, { port }: RedisServer): Redis {
  const operator = new Redis({ port })
  t.teardown(() => operator.disconnect())
  return operator
}

/** Let a user in by this password only. */
export async function setPassword (operators: readonly Redis[], user: string, password: string): Promise<void> {
  for (const operator of operators) await operator.call('ACL', 'SETUSER', user, 'reset', 'on', `>${password}`, '~*', '+@all')
}

/** Whether Redis decides on each node of a Cluster, as far as several clients show. */
export async function decides (service: Service): Promise<boolean> {
  const visits = await Promise.all(Array.from({ length: 9 }, () => service.visit('/open', newClient())))
  return visits.every(({ outcome }) => outcome === 'allowed')
}

/** The ids of the connections of a user. */
export async function listConnections (operator: Redis, user: string): Promise<string[]> {
  const lines = String(await operator.call('CLIENT', 'LIST')).split('\n')
  return lines.filter((line) => line.includes(` user=${user} `)).map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '')
}
