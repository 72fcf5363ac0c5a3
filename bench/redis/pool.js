/** For a RedisStore that nothing watches: nothing fails here. */
export const unwatched = {
  callGuard: { begin: () => ({ settle () {} }), close () {} },
  onFailure () {},
  onAnswer () {}
}

/** The pool of a RedisStore over one connected client. */
export function poolOf (client) {
  return {
    hasSlots: false,
    isReady: true,
    evalScript: (script, keys, args) => client.callBuffer('EVAL', [script.lua, keys.length, ...keys, ...args])
  }
}
