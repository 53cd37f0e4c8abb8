export {
  type FindRedisServerOptions,
  findRedisServer,
  type RedisServer,
} from './find-redis-server.ts';
export {
  type RedisProcess,
  type RedisProcessOptions,
  type RedisSettings,
  startRedisProcess,
} from './redis-process.ts';
