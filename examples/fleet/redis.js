import { startRedis } from '../shared/redis-server.js'

/**
 * The Redis of REDIS_URL, or a redis-server of our own on a free port that keeps nothing on disk.
 *
 * @returns {Promise<{ url: string, stop: () => void }>}
 */
export async function findRedis () {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, stop () {} }
  const { port, stop } = await startRedis().catch((error) => {
    console.error(`Cannot start redis-server (${error.message}). Install it, or say where one is: REDIS_URL=redis://127.0.0.1:6379`)
    process.exit(1)
  })
  return { url: `redis://127.0.0.1:${port}`, stop }
}
