export {
  type FindRedisServerOptions,
  findRedisServer,
  PROJECT_CACHE_DIR,
  type RedisServer,
} from './find-redis-server.ts';
export { readRedisUrl } from './redis-file.ts';
export {
  type RedisProcess,
  type RedisProcessOptions,
  type RedisSettings,
  startRedisProcess,
} from './redis-process.ts';
export {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from './start-embedded-redis.ts';
