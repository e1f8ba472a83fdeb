import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application } from './support/application.js';

/** TypeORM's optional peer is ioredis 5, so an application with TypeORM cannot have ioredis 6. */
describe('Nest 11 with TypeORM and ioredis 5', () => {
  let app: Application;
  let warnings: string[];

  beforeAll(async () => {
    app = await Application.generate(11);
    app.write('src/app.module.ts', MODULE);
    app.write('src/try-it.ts', PROGRAM);
    warnings = await app.install('bullmq', 'ioredis@5', '@nestjs/typeorm@11', 'typeorm', 'pg');
    await app.npm('run', 'build');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test('the packages install without a flag or a warning', () => {
    expect(warnings).toEqual([]);
  });

  test.each([
    ['Redis', process.env['TEST_REDIS_URL'] as string],
    ['PostgreSQL', process.env['TEST_POSTGRES_URL'] as string],
  ])(
    'a task on %s writes through TypeORM, and the process ends',
    async (_, url) => {
      const { stdout } = await app.node(['dist/try-it'], {
        TASK_QUEUE_URL: url,
        TASK_QUEUE_PREFIX: 'nest_11_typeorm',
        DATABASE_URL: process.env['TEST_POSTGRES_URL'] as string,
      });
      expect(JSON.parse(stdout)).toEqual({ result: 'Grace', rows: ['Grace'] });
    },
    120_000,
  );
});

const MODULE = `import { Injectable, Module } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { InjectTasks, Task, TaskQueueModule, type Tasks } from 'nestjs-task-queue';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';

@Entity({ name: 'matrix_people' })
export class Person {
  @PrimaryGeneratedColumn()
  id: number;

  @Column()
  name: string;
}

@Injectable()
export class PeopleTasks {
  constructor(@InjectRepository(Person) private readonly people: Repository<Person>) {}

  @Task()
  async add(name: string): Promise<string> {
    return (await this.people.save({ name })).name;
  }
}

@Injectable()
export class People {
  constructor(
    @InjectTasks(PeopleTasks) private readonly tasks: Tasks<PeopleTasks>,
    @InjectRepository(Person) private readonly people: Repository<Person>,
  ) {}

  async addAndList(name: string): Promise<{ result: string; rows: string[] }> {
    await this.people.clear();
    const handle = await this.tasks.add.enqueue(name);
    const result = await handle.result({ timeout: '30s' });
    return { result, rows: (await this.people.find()).map((person) => person.name) };
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true, synchronize: true }),
    TypeOrmModule.forFeature([Person]),
    TaskQueueModule.forRoot(),
  ],
  providers: [PeopleTasks, People],
})
export class AppModule {}
`;

const PROGRAM = `import { NestFactory } from '@nestjs/core';
import { AppModule, People } from './app.module';

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  console.log(JSON.stringify(await app.get(People).addAndList('Grace')));
  await app.close();
}

void main();
`;
