import type { Command, Redis } from 'ioredis'

/** How often within the deadline the calls that wait for a node are looked at. */
const LOOKS = 5
/** Their own watch gives them up after up to two looks more, and only then is it too late to send them. */
const MOST_LOOKS = LOOKS + 2

/** Calls that change buckets, and what precedes one to a node that a slot is being moved to. */
const CALLS = ['evalsha', 'eval', 'asking']

/**
 * Calls to a node of a Cluster that is still being connected. ioredis keeps them until it is, however long that takes,
 * and its option against that does not reach these connections: a call would be charged long after it was given up.
 * Time is counted in looks that come after the loop has read: what a blocked loop kept waiting is not late.
 */
export class NodeQueue {
  readonly #looks = new Map<Command, number>()
  readonly #lookMs: number
  #timer: NodeJS.Timeout | null = null

  /** `deadlineMs`: how long a call may take, 1 or more; 0 where nothing is too late. */
  constructor (deadlineMs: number) {
    this.#lookMs = Math.ceil(deadlineMs / LOOKS)
  }

  /** Stand where ioredis sends to a node, first or from its own queue. */
  tend (node: Redis): void {
    const send = node.sendCommand.bind(node)
    node.sendCommand = (command, stream) => {
      // ioredis drops the answer: a node that dies just then would end the process.
      if (command.name === 'asking') command.promise.catch(() => {})
      this.#looks.delete(command)
      if (command.isSettled) return command.promise
      const isQueued = node.status !== 'ready' && CALLS.includes(command.name.toLowerCase())
      const answer = send(command, stream)
      if (isQueued && this.#lookMs > 0 && !command.isSettled) this.#wait(command)
      return answer
    }
  }

  #wait (command: Command): void {
    this.#looks.set(command, 0)
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#look() }) }, this.#lookMs).unref()
  }

  #look (): void {
    for (const [command, looks] of this.#looks) {
      if (command.isSettled) {
        this.#looks.delete(command)
      } else if (looks < MOST_LOOKS) {
        this.#looks.set(command, looks + 1)
      } else {
        this.#looks.delete(command)
        command.reject(new Error('the node was not connected in time'))
      }
    }
    if (this.#looks.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
