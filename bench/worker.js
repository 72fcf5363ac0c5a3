/** Answer the parent's questions, one after the other, for as long as it lives. */
export function answer (respond) {
  process.on('disconnect', () => process.exit())
  process.on('message', async (question) => {
    try {
      process.send({ result: await respond(question) })
    } catch (error) {
      process.send({ error: error.stack })
    }
  })
}
