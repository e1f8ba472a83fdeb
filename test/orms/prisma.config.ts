export default { schema: 'prisma/schema.prisma', datasource: { url: 'postgres://localhost/x' } };
