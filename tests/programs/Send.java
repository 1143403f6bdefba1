// Sends a picture by Java's HttpClient: java Send.java URL PICTURE
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;

class Send {
    public static void main(String[] arguments) throws Exception {
        var body = HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1]));
        var request = HttpRequest.newBuilder(URI.create(arguments[0])).POST(body).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 202) {
            throw new Exception(answer.body());
        }
        System.out.println("file");
    }
}
