// What the benchmark needs of a Node server besides /graphql: when it is ready, and how many statements it has sent.
import { connect, statementsSent } from './database.mjs'

export async function serve (app) {
  app.get('/ready', async (request, reply) => reply.code(204).send())
  app.get('/statements', async () => ({ statements: statementsSent() }))
  await connect()
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
}
