import { Redis } from 'ioredis'

/** @typedef {{ host: string, port: number }} Address */

/**
 * One command over a connection of its own, as an operator would type it. Rejects where it takes more than a second.
 *
 * @param {Address} address
 * @param {string} command
 * @param {readonly (string | number)[]} args
 */
export async function askRedis ({ host, port }, command, ...args) {
  const client = new Redis({ host, port, protocol: 2, retryStrategy: null, connectTimeout: 1000, commandTimeout: 1000, maxRetriesPerRequest: 0 })
  client.on('error', () => {}) // the command below rejects
  try {
    return await client.call(command, ...args)
  } finally {
    client.disconnect()
  }
}

/**
 * Addresses in a text such as `127.0.0.1:7001,127.0.0.1:7002`.
 *
 * @param {string} text
 * @returns {Address[]}
 */
export function addressesIn (text) {
  return text.split(',').map((part) => {
    const [host, port] = part.trim().split(':')
    return { host, port: Number(port) }
  })
}
