import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.h2.mvstore.MVStore;

/**
 * A server for tests that speaks the protocol of MongoDB: MongodbServer PORT [FILE].
 *
 * With a file it keeps what it has acknowledged, also when it is killed; without one it is quicker, and keeps nothing.
 */
public final class MongodbServer {
    private static final int CACHE_MB = 128; // with the 16 that it would take, a search of 50,000 documents takes a second

    private static final Set<String> READS = Set.of(
            "find", "getmore", "killcursors", "count", "distinct", "ping", "ismaster", "buildinfo", "serverstatus",
            "dbstats", "collstats", "listcollections", "listindexes", "listdatabases", "hostinfo", "getlasterror",
            "whatsmyuri", "getlog", "getparameter", "connectionstatus", "endsessions");

    private MongodbServer() {}

    public static void main(String[] arguments) {
        MongoBackend backend = arguments.length > 1 ? new InFile(arguments[1]) : new InMemory();
        backend.version(new Version());
        MongoServer server = new MongoServer(backend);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    }

    /** The oldest that a client of today talks to. */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }

    private static final class InMemory extends MemoryBackend {
        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            return counted(command, query, super.handleCommand(channel, database, command, query));
        }
    }

    /**
     * Each write is committed before it is acknowledged, and nothing at any other time. Left alone the file is
     * committed once a second, in the midst of writes: a kill then loses what was acknowledged, and may leave an index
     * that does not fit its documents.
     */
    private static final class InFile extends H2Backend {
        private final Object writing = new Object();

        InFile(String file) {
            super(opened(file));
        }

        private static MVStore opened(String file) {
            MVStore store = new MVStore.Builder()
                    .fileName(file)
                    .cacheSize(CACHE_MB)
                    .autoCommitDisabled()
                    .autoCommitBufferSize(0)
                    .open();
            store.setVersionsToKeep(0);
            store.setRetentionTime(0); // what is free is used again at once: the file grows by gigabytes otherwise
            return store;
        }

        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            if (READS.contains(command.toLowerCase(Locale.ROOT))) {
                return super.handleCommand(channel, database, command, query);
            }
            synchronized (writing) { // or a commit would take half of what another connection writes
                try {
                    return counted(command, query, super.handleCommand(channel, database, command, query));
                } finally {
                    commit();
                }
            }
        }
    }

    /** The answer to an insert, where those that were refused do not count among those that were stored. */
    private static Document counted(String command, Document query, Document answer) {
        if (command.equalsIgnoreCase("insert")
                && answer != null
                && answer.get("writeErrors") instanceof List<?> refused
                && !refused.isEmpty()
                && query.get("documents") instanceof List<?> documents) {
            boolean stopsAtTheFirst = !Boolean.FALSE.equals(query.get("ordered"));
            Object stored = stopsAtTheFirst
                    ? ((Document) refused.get(0)).get("index")
                    : (Object) (documents.size() - refused.size());
            answer.put("n", stored);
        }
        return answer;
    }
}
