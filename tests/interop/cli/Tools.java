import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command line tools, one after the other in one Java: a start of Java for each would be most of the time.
 *
 * In: a count and so many texts (a class and its arguments), and a text for its standard input. Out: its exit code, what it
 * printed, and what it printed to standard error. A count and a length are four bytes. The tools' own classes are loaded
 * anew for each, since they keep state.
 */
public class Tools {
    static final class Exited extends Error {}

    /**
     * Where the tool that runs prints; the logger, which keeps the stream it found first, prints there too. Some tools catch
     * what ends them here: they print no more.
     */
    static final class Current extends OutputStream {
        private ByteArrayOutputStream to = new ByteArrayOutputStream();

        @Override public void write(int b) { write(new byte[] {(byte) b}, 0, 1); }

        @Override public synchronized void write(byte[] b, int from, int length) {
            if (Thread.currentThread() != exited) to.write(b, from, length);
        }

        synchronized byte[] take() {
            byte[] taken = to.toByteArray();
            to = new ByteArrayOutputStream();
            return taken;
        }
    }

    static final class Fresh extends URLClassLoader {
        Fresh(URL[] jars) { super(jars, Tools.class.getClassLoader()); }

        @Override protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                boolean own = name.startsWith("org.apache.kafka.tools.") || name.startsWith("kafka.admin.");
                Class<?> loaded = own ? findLoadedClass(name) : null;
                return loaded != null ? loaded : own ? findClass(name) : super.loadClass(name, resolve);
            }
        }
    }

    static final int LIMIT_MS = 60_000;
    /** The thread whose tool has exited. */
    static volatile Thread exited;
    static final AtomicInteger code = new AtomicInteger();
    static final List<Runnable> hooks = new ArrayList<>();

    public static void main(String[] unused) throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(System.out);
        Current out = new Current(), err = new Current();
        System.setOut(new PrintStream(out, true, "UTF-8"));
        System.setErr(new PrintStream(err, true, "UTF-8"));
        Exit.Procedure exit = (status, message) -> {
            code.compareAndSet(-1, status);
            exited = Thread.currentThread();
            throw new Exited();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Exit.setShutdownHookAdder((name, hook) -> { synchronized (hooks) { hooks.add(hook); } });
        URL[] jars = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).map(Tools::url)
            .toArray(URL[]::new);
        while (true) {
            List<String> words = new ArrayList<>();
            try {
                for (int count = in.readInt(); words.size() < count; ) words.add(text(in));
            } catch (EOFException end) {
                Runtime.getRuntime().halt(0);
            }
            System.setIn(new ByteArrayInputStream(text(in).getBytes("UTF-8")));
            boolean ended = run(words, jars);
            System.out.flush();
            System.err.flush();
            answers.writeInt(ended ? code.get() : 124);
            for (byte[] printed : List.of(out.take(), err.take())) {
                answers.writeInt(printed.length);
                answers.write(printed);
            }
            answers.flush();
            if (!ended) Runtime.getRuntime().halt(124);
        }
    }

    /** Whether the tool came to its end. */
    static boolean run(List<String> words, URL[] jars) throws Exception {
        code.set(-1);
        exited = null;
        hooks.clear();
        Fresh loader = new Fresh(jars);
        Thread tool = new Thread(() -> call(words, loader), "main");
        tool.setContextClassLoader(loader);
        tool.start();
        tool.join(LIMIT_MS);
        if (tool.isAlive()) return false;
        code.compareAndSet(-1, 0);
        List<Thread> ending = hooks.stream().map(Thread::new).toList();
        for (Thread hook : ending) hook.start();
        for (Thread hook : ending) hook.join(LIMIT_MS);
        loader.close();
        return true;
    }

    static void call(List<String> words, ClassLoader loader) {
        try {
            String[] arguments = words.subList(1, words.size()).toArray(String[]::new);
            Class.forName(words.get(0), true, loader).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exited) return;
            code.compareAndSet(-1, 1);
            System.err.print("Exception in thread \"main\" ");
            thrown.getCause().printStackTrace();
        } catch (ReflectiveOperationException fault) {
            code.compareAndSet(-1, 1);
            fault.printStackTrace();
        }
    }

    static String text(InputStream in) throws IOException {
        DataInputStream data = (DataInputStream) in;
        byte[] bytes = new byte[data.readInt()];
        data.readFully(bytes);
        return new String(bytes, "UTF-8");
    }

    static URL url(String path) {
        try {
            return new File(path).toURI().toURL();
        } catch (IOException fault) {
            throw new IllegalArgumentException(path, fault);
        }
    }
}
