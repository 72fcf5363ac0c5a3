import type { FastifyBaseLogger } from 'fastify'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Write a line. A logger that fails is not told of, for there is no log to tell it, but never costs a request. */
export function writeLine (logger: FastifyBaseLogger, level: Level, fields: object, message: string): void {
  try {
    const written: unknown = logger[level](fields, message)
    if (written instanceof Promise) written.catch(() => {})
  } catch {}
}
